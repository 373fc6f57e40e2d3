// Type-checks every example of the documentation: the `ts` blocks of README.md, docs/*.md, and README.md and AGENTS.md of the packages, and
// every `@example` in the sources. Each becomes a module of its own, and one `tsc` checks those of a line of Effect.
//
// A block holds on both lines, unless it is marked with its own: "```ts effect-3" or "```ts effect-4".
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
/** Where the modules of each line are put: next to the packages that they import. */
const targets = { "effect-4": join(root, "docs", ".snippets"), "effect-3": join(root, "docs", "effect-3", ".snippets") }
const quickStartLines = 12

const inFolder = (folder, end) =>
  readdirSync(join(root, folder)).filter((name) => name.endsWith(end)).map((name) => join(folder, name))

const sourcesIn = (folder) =>
  !existsSync(join(root, folder)) ?
    [] :
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory()
        ? sourcesIn(join(folder, entry.name))
        : entry.name.endsWith(".ts")
        ? [join(folder, entry.name)]
        : []
    )

/** The `ts` blocks among lines; `line` is the number, from 1, of a block's first line of code. */
const fencedIn = (lines, file, offset = 0) => {
  const blocks = []
  let open
  let heading = []
  lines.forEach((text, index) => {
    const fence = /^\s*(`{3,})\s*(\w*)(?: (effect-[34]))?/.exec(text)
    if (open !== undefined) {
      if (fence !== null && fence[2] === "" && fence[1].length >= open.ticks) {
        if (open.language === "ts") blocks.push({ ...open, file })
        open = undefined
      } else open.code.push(text)
    } else if (fence !== null) {
      open = {
        ticks: fence[1].length,
        language: fence[2],
        effect: fence[3],
        line: offset + index + 2,
        code: [],
        headings: heading
      }
    } else {
      const title = /^(#+)\s+(.*)/.exec(text)
      if (title !== null) {
        heading = [...heading.filter(({ level }) => level < title[1].length), {
          level: title[1].length,
          text: title[2]
        }]
      }
    }
  })
  if (open !== undefined) throw new Error(`${file}:${open.line - 1}: this code block has no end`)
  return blocks
}

/** The examples in the doc comments of a source. */
const examplesIn = (file, text) => {
  const blocks = []
  const lines = text.split("\n")
  let example
  const finish = () => {
    if (example === undefined) return
    const { code, line } = example
    example = undefined
    if (code.some((text) => /^\s*```/.test(text))) blocks.push(...fencedIn(code, file, line - 1))
    else blocks.push({ file, line, code, headings: [] })
  }
  let inComment = false
  lines.forEach((raw, index) => {
    if (!inComment) {
      if (/^\s*\/\*\*/.test(raw) && !raw.includes("*/")) inComment = true
      return
    }
    if (raw.includes("*/")) {
      finish()
      inComment = false
      return
    }
    const text = raw.replace(/^\s*\* ?/, "")
    // A tag begins at the very start of a line; the code of an example may have decorators further in only.
    if (/^@[a-z]+\b/.test(text)) {
      finish()
      if (text.startsWith("@example")) example = { line: index + 2, code: [] }
    } else example?.code.push(text)
  })
  return blocks
}

const packages = readdirSync(join(root, "packages")).map((name) => join("packages", name))
const documents = [
  "README.md",
  ...inFolder("docs", ".md"),
  ...packages.flatMap((folder) => [join(folder, "README.md"), join(folder, "AGENTS.md")])
    .filter((file) => existsSync(join(root, file)))
]
const read = (file) => readFileSync(join(root, file), "utf8")
const snippets = [
  ...documents.flatMap((file) => fencedIn(read(file).split("\n"), file)),
  // Those of the sources are in the dialect of their package.
  ...packages.flatMap((folder) =>
    sourcesIn(join(folder, "src"))
      .flatMap((file) => examplesIn(file, read(file)))
      .map((snippet) => ({
        ...snippet,
        effect: /^(hookrail|node)$/.test(basename(folder)) || /-3(\.ts$|\/)/.test(snippet.file)
          ? "effect-3"
          : "effect-4"
      }))
  )
]

if (snippets.length === 0) {
  console.error("no snippets found: something is wrong with this script")
  process.exit(1)
}

const problems = []

for (const { code, file, headings, line } of snippets) {
  if (file !== "README.md" || !headings.some(({ text }) => /quick start/i.test(text))) continue
  const length = code.length
  if (length > quickStartLines) {
    problems.push(`${file}:${line}: a quick start of ${length} lines; at most ${quickStartLines}`)
  }
}

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc")

const isOfBoth = (code) => code.some((text) => /["'](effect|hookrail|@effect|@hookrail\/node)["'/]/.test(text))

let checked = 0
for (const [effect, target] of Object.entries(targets)) {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  const byName = new Map()
  for (const snippet of snippets) {
    // Without Effect, once is enough.
    const line = snippet.effect ?? (isOfBoth(snippet.code) ? effect : "effect-4")
    if (line !== effect) continue
    const name = `${snippet.file.replace(/[^A-Za-z0-9]+/g, "_")}_${snippet.line}.ts`
    byName.set(name, snippet)
    // One line before the code: the line numbers of the compiler are then off by a constant.
    writeFileSync(join(target, name), `// ${snippet.file}:${snippet.line}\n${snippet.code.join("\n")}\nexport {}\n`)
  }
  // Jest is not installed here: `extended/guide.test.ts` runs it. What the examples take from it, vitest types as well.
  writeFileSync(
    join(target, "jest.d.ts"),
    "declare module \"@jest/globals\" { export { afterAll, beforeAll, expect, test } from \"vitest\" }\n"
  )
  writeFileSync(
    join(target, "tsconfig.json"),
    JSON.stringify({
      extends: relative(target, join(root, "tsconfig.base.json")),
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, plugins: [] },
      include: ["*.ts"]
    })
  )
  const run = spawnSync(process.execPath, [tsc, "--noEmit", "--pretty", "false", "-p", target], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  })
  if (run.error !== undefined) throw run.error
  checked += byName.size
  const before = problems.length
  for (const text of `${run.stdout}${run.stderr}`.split("\n")) {
    if (text.trim() === "") continue
    const place = /^(.*?)\((\d+),(\d+)\): (.*)$/.exec(text)
    const snippet = place === null ? undefined : byName.get(basename(place[1]))
    if (snippet === undefined) problems.push(`${effect}: ${text}`)
    else {
      const line = snippet.line + Number(place[2]) - 2
      problems.push(`${relative(".", snippet.file)}:${line}:${place[3]}: (${effect}) ${place[4]}`)
    }
  }
  if (run.status !== 0 && problems.length === before) problems.push(`tsc ended with ${run.status ?? run.signal}`)
}

for (const problem of problems) console.error(problem)
console.log(`${checked} snippets checked, ${problems.length} lines of problems`)
process.exit(problems.length === 0 ? 0 : 1)
