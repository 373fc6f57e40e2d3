/**
 * Makes the packages for Effect 4 from those for Effect 3, and the modules for Effect 4 in packages for both: `node generate.mjs`.
 *
 * Files that are not made, but written by hand, are those that the `.gitignore` of a package excepts with `!`.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { edits } from "./edits.mjs"
import { lines, onlyOnce, within } from "./lines.mjs"
import { translate, translateWithin } from "./translate.mjs"

const packages = fileURLToPath(new URL("..", import.meta.url))

const folders = ["src", "test", "dtslint"]

const filesIn = (folder) => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((it) => it.isFile())
      .map((it) => join(it.parentPath, it.name).slice(folder.length + 1).replaceAll("\\", "/"))
  } catch {
    return []
  }
}

/** Applies the edits of a file: a text that is gone is an error, because the two lines would differ without notice. */
const edited = (name, path, text) =>
  (edits[name]?.[path] ?? []).reduce((text, [before, after]) => {
    if (!text.includes(before)) throw new Error(`packages/${name}/${path} has changed: edits.mjs looks for\n${before}`)
    return text.replace(before, () => after)
  }, text)

for (const [name, twin] of Object.entries(lines)) {
  const own = new Set(
    readFileSync(join(packages, twin, ".gitignore"), "utf8").match(/(?<=^!\/).*[^/]$/gm) ?? []
  )
  for (const path of Object.keys(edits[name] ?? {})) {
    if (own.has(path)) throw new Error(`packages/${twin}/${path} is written by hand, and has edits as well`)
  }
  const left = onlyOnce[name] ?? []
  for (const path of left) {
    if (!existsSync(join(packages, name, path))) throw new Error(`packages/${name}/${path} is gone: see lines.mjs`)
  }
  for (const folder of folders) {
    const [from, to] = [join(packages, name, folder), join(packages, twin, folder)]
    const files = new Set(filesIn(from).filter((file) => !left.includes(`${folder}/${file}`)))
    for (const file of filesIn(to)) {
      if (!files.has(file) && !own.has(`${folder}/${file}`)) rmSync(join(to, file))
    }
    for (const file of files) {
      const path = `${folder}/${file}`
      if (own.has(path)) continue
      mkdirSync(dirname(join(to, file)), { recursive: true })
      if (!/\.m?ts$/.test(file)) {
        copyFileSync(join(from, file), join(to, file))
        continue
      }
      writeFileSync(join(to, file), translate(edited(name, path, readFileSync(join(from, file), "utf8"))))
    }
  }
}

for (const [name, modules] of Object.entries(within)) {
  for (const [path, twin] of Object.entries(modules)) {
    const text = edited(name, path, readFileSync(join(packages, name, path), "utf8"))
    writeFileSync(join(packages, name, twin), translateWithin(text))
  }
}
