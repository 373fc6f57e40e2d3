/** Modules of the user's own packages, as a file of theirs would import them. */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { usage } from "./exit.js"

/** `node:module` resolves only for `require`, and packages such as Effect 4 cannot be required. */
export const importFrom = async (
  file: string,
  name: string,
  require: (name: string) => string
): Promise<unknown> => {
  const [, owner = "", path = ""] = /^((?:@[^/]+\/)?[^/]+)(.*)$/.exec(name) ?? []
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const home = join(folder, "node_modules", owner)
    if (!existsSync(join(home, "package.json"))) continue
    const { exports } = JSON.parse(await readFile(join(home, "package.json"), "utf8")) as { readonly exports?: unknown }
    const target = targetOf(exports, `.${path}`)
    if (target !== undefined) return import(pathToFileURL(join(home, target)).href)
    break
  }
  try {
    return await import(pathToFileURL(require(name)).href)
  } catch {
    throw usage(`${file} needs ${name}, which is not installed beside it`)
  }
}

/** What an `import` of a path gets, by the `exports` of a package: exact entries and those with one star. */
const targetOf = (exports: unknown, path: string): string | undefined => {
  if (typeof exports !== "object" || exports === null) return undefined
  const entries = exports as Record<string, unknown>
  const chosen = (value: unknown, star: string): string | undefined => {
    if (typeof value === "string") return value.replaceAll("*", star)
    if (typeof value !== "object" || value === null) return undefined
    for (const condition of ["node", "import", "module", "default"]) {
      const inner = chosen((value as Record<string, unknown>)[condition], star)
      if (inner !== undefined) return inner
    }
    return undefined
  }
  if (path in entries) return chosen(entries[path], "")
  for (const [key, value] of Object.entries(entries)) {
    const [before = "", after = ""] = key.split("*")
    if (key.includes("*") && path.startsWith(before) && path.endsWith(after)) {
      return chosen(value, path.slice(before.length, path.length - after.length))
    }
  }
  return undefined
}
