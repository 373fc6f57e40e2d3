/** The notices of the code that others wrote and that is inside the bundle. Their licences ask for them in every copy. */
import type { Metafile, Plugin } from "esbuild"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { dirname, join, relative } from "node:path"

/** A package whose code is in the bundle. */
interface ThirdParty {
  readonly name: string
  readonly version: string
  readonly license: string
  /** The text of each of its files with a licence or a notice. */
  readonly texts: Array<string>
  /** Notices in the bundled files themselves, where a package has taken code from elsewhere. */
  readonly comments: Array<{ readonly file: string; readonly text: string }>
}

/** What files that are not text contain, and do not say. */
const unsaid: ReadonlyArray<readonly [file: RegExp, text: string]> = [
  [
    /[\\/]undici[\\/]lib[\\/]llhttp[\\/].*wasm\.js$/,
    "llhttp, compiled. Copyright Fedor Indutny, 2018. Under the MIT License, as above."
  ]
]

/** The installed package that a file belongs to: the nearest `package.json` that has a name and a version. */
const packageOf = async (file: string) => {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => "{}")
    const { license, name, version } = JSON.parse(text) as Partial<Record<"license" | "name" | "version", string>>
    if (name !== undefined && version !== undefined) return { folder, license, name, version }
  }
  throw new Error(`${file} is in the bundle and belongs to no package`)
}

const noticesIn = (source: string): Array<string> =>
  (source.match(/\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n)+/gm) ?? [])
    .filter((comment) => /copyright|@license|@preserve|licen[cs]ed under|released under/i.test(comment))
    .map((comment) => comment.trim().replace(/^[ \t]+\*/gm, " *"))

/** Reads what is said about the files of others among these; fails if one of their packages has no licence. */
const thirdParties = async (files: Iterable<string>): Promise<Array<ThirdParty>> => {
  const found = new Map<string, ThirdParty>()
  for (const file of [...files].sort()) {
    const { folder, license, name, version } = await packageOf(file)
    let party = found.get(folder)
    if (party === undefined) {
      const names = (await readdir(folder)).filter((entry) => /^(licen[cs]e|copying|notice)\b/i.test(entry)).sort()
      if (license === undefined || !names.some((entry) => !/^notice/i.test(entry))) {
        throw new Error(`${name} ${version} is in the bundle, and its package has no licence`)
      }
      const texts = await Promise.all(names.map((entry) => readFile(join(folder, entry), "utf8")))
      party = { name, version, license, texts, comments: [] }
      found.set(folder, party)
    }
    const texts = unsaid.filter(([pattern]) => pattern.test(file)).map(([, text]) => text)
    for (const text of [...texts, ...noticesIn(await readFile(file, "utf8"))]) {
      party.comments.push({ file: relative(folder, file).replaceAll("\\", "/"), text })
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The files of other people's packages of which something is in the output. */
const foreignFiles = (metafile: Metafile): Array<string> =>
  Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([path, { bytesInOutput }]) => bytesInOutput > 0 && /[\\/]node_modules[\\/]/.test(path))
    .map(([path]) => path)

const rule = "=".repeat(80)

/** Collects what each build puts into its output; `write` writes the notices of all of it. */
export const thirdPartyNotices = (): { readonly plugin: Plugin; readonly write: (file: string) => Promise<void> } => {
  const files = new Set<string>()
  return {
    plugin: {
      name: "third-party-notices",
      setup(build) {
        build.initialOptions.metafile = true
        build.onEnd(({ metafile }) => {
          for (const file of foreignFiles(metafile!)) files.add(file)
        })
      }
    },
    write: async (file) => {
      const sections = (await thirdParties(files)).map(({ comments, license, name, texts, version }) =>
        [
          `${rule}\n${name} ${version} (${license})\n${rule}`,
          ...texts.map((text) => text.trim()),
          ...comments.map(({ file, text }) => `In its file ${file}:\n\n${text}`)
        ].join("\n\n")
      )
      const head = "This package contains code of the packages named below, under their licences.\n" +
        "The text of the Apache License 2.0 is in the file LICENSE."
      await writeFile(file, `${[head, ...sections].join("\n\n")}\n`)
    }
  }
}
