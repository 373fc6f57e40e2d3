import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { unstable } from "../unstable.mjs"

const packages = fileURLToPath(new URL("../..", import.meta.url))

const sourceOf = (module: string): string =>
  readFileSync(join(packages, "hookrail-4/node_modules", `${module.replace("effect/", "effect/src/")}.ts`), "utf8")

/** Names that are exported under another one: `catch` and `void` are words of the language. */
const renamed = /\b(await|catch|try|void|Array)\b/

/** What the doc comments of an export say of its stability. */
const stabilityOf = (module: string, name: string): ReadonlyArray<string> => {
  if (renamed.test(name)) return ["stable"]
  const declaration = new RegExp(
    `/\\*\\*(?:(?!\\*/)[^])*?\\*/\\s*export (?:declare )?(?:const|function|interface|type|class|abstract class) ${name}\\b`,
    "g"
  )
  return [...sourceOf(module).matchAll(declaration)].map(([text]) => /@stability (\w+)/.exec(text)?.[1] ?? "unknown")
}

interface Use {
  readonly file: string
  readonly module: string
  readonly name: string
}

const usesIn = (file: string): Array<Use> => {
  // Where both lines are in one package, Effect 4 has a name of its own.
  const code = readFileSync(join(packages, file), "utf8").replace(/\/\*\*[^]*?\*\//g, "").replace(
    /"effect-4\//g,
    "\"effect/"
  )
  return [...code.matchAll(/^import (?:type )?(?:\* as (\w+)|\{([^}]*)\}) from "(effect\/[^"]+)"/gm)].flatMap(
    ([, namespace, list = "", module = ""]) => {
      const names = namespace === undefined
        ? list.split(",").map((item) => item.trim().replace(/^type /, "").replace(/ as .*/, ""))
        : [...code.matchAll(new RegExp(`(?<![\\w.])${namespace}\\.(\\w+)`, "g"))].map(([, name = ""]) => name)
      return [...new Set(names)].map((name) => ({ file, module, name }))
    }
  )
}

const uses = ["hookrail-4/src", "node-4/src", "promise/src", "outbox/src"].flatMap((folder) =>
  readdirSync(join(packages, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !(folder === "outbox/src" && /^(effect-3|line-3)\b/.test(file)))
    .flatMap((file) => usesIn(`${folder}/${file.replaceAll("\\", "/")}`))
)

it("the exports of Effect 4 that are used are stable, except where the list says otherwise", () => {
  assert.isAbove(uses.length, 300)
  const others = uses.filter(({ module, name }) => {
    const found = stabilityOf(module, name)
    return found.length === 0 || found.some((stability) => stability !== "stable")
  })
  assert.deepStrictEqual([...new Set(others.map(({ file }) => file))].sort(), Object.keys(unstable).sort())
  assert.deepStrictEqual(others.filter(({ module }) => !/^effect\/(http|sql)\//.test(module)), [])
})
