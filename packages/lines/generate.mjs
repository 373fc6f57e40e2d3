/** Makes the packages of the Effect 4 line from those of the Effect 3 line. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { edits } from "./edits.mjs"
import { translate } from "./translate.mjs"

const packages = fileURLToPath(new URL("..", import.meta.url))

const [from, to] = process.argv.slice(2)
for (const folder of ["src", "test"]) {
  const source = join(packages, from, folder)
  const target = join(packages, to, folder)
  if (!existsSync(source)) continue
  const own = readFileSync(join(packages, to, ".gitignore"), "utf8").split("\n").filter((line) => line.startsWith(`!/${folder}/`)).map((line) => line.slice(folder.length + 3))
  const files = readdirSync(source, { recursive: true, withFileTypes: true }).filter((it) => it.isFile()).map((it) => join(it.parentPath, it.name).slice(source.length + 1))
  for (const file of files) {
    if (own.includes(file)) continue
    let text = readFileSync(join(source, file), "utf8")
    for (const [before, after] of edits[from]?.[`${folder}/${file}`] ?? []) {
      if (!text.includes(before)) throw new Error(`${folder}/${file} has no such text any more: ${before}`)
      text = text.replace(before, () => after)
    }
    text = translate(text)
    mkdirSync(dirname(join(target, file)), { recursive: true })
    writeFileSync(join(target, file), text)
  }
}
