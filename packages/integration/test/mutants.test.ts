import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { transformSync } from "esbuild"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import vm from "node:vm"
import { modules, src } from "../mutate/catalog.js"
import { instrument } from "../mutate/mutants.js"

const changesOf = (text: string) => instrument("a.ts", text, 1).mutants.map(({ change }) => change)

/** What `f` gives with each mutant alive, the first result being that of none. */
const resultsOf = (text: string, ...args: ReadonlyArray<unknown>) => {
  const { code, mutants } = instrument("a.ts", text, 1)
  const { code: script } = transformSync(code, { loader: "ts", format: "cjs" })
  return [0, ...mutants.map(({ id }) => id)].map((alive) => {
    const module = { exports: {} as { f: (...args: ReadonlyArray<unknown>) => unknown } }
    vm.runInNewContext(script, { module, __mutant__: (id: number) => id === alive })
    try {
      return module.exports.f(...args)
    } catch {
      return "thrown"
    }
  })
}

describe("mutants", () => {
  it("of operators, literals and conditions", () => {
    deepStrictEqual(changesOf("const a = b < 1 && !c ? \"x\" : d ?? ''"), [
      "b < 1 && !c → false",
      "b < 1 && !c → true",
      "&& → ||",
      "< → <=",
      "< → >=",
      "1 → 2",
      "!c → c",
      "\"x\" → \"\"",
      "?? → &&",
      "'' → \"mutant\""
    ])
    deepStrictEqual(changesOf("const a = Math.min(b) + c?.d"), ["+ → -", "min → max", "?. → ."])
    deepStrictEqual(changesOf("const a = /^[a]+$/"), [
      "/^[a]+$/ → /[a]+$/",
      "/^[a]+$/ → /^[a]+/",
      "/^[a]+$/ → /^[^a]+$/",
      "/^[a]+$/ → /^[a]$/"
    ])
  })

  it("of statements, but for those that change nothing more", () => {
    deepStrictEqual(changesOf("const f = () => { g(); if (a) return; h(); return i }"), [
      "g() removed",
      "a → false",
      "a → true",
      "h() removed"
    ])
    deepStrictEqual(changesOf("const f = () => { try { return g } catch { return undefined } }"), ["return g removed"])
    deepStrictEqual(changesOf("const f = () => { for (;;) { g(); return undefined } }"), [
      "g() removed",
      "return undefined removed"
    ])
  })

  it("not of types, imports, names and texts for people", () => {
    deepStrictEqual(
      changesOf(`
        import a from "a"
        import type { B } from "b"
        export * from "c"
        type T = "x" | 1 | true
        interface I { readonly a: "x" }
        const b: Array<"x"> = { "x": c, d } as I & { e: "x" }
        const f = "not this one"
        const g = \`nor \${h}\`
      `),
      []
    )
  })

  it("act one at a time, and none of them if none is alive", () => {
    deepStrictEqual(resultsOf("export const f = (a: number) => a + 1 * 2", 3), [5, 1, 3.5, 7, 6])
    // Without a semicolon before it, a parenthesis would call what stands there.
    const text = "export const f = (a: number) => { let b = a\n b++\n if (a > 1) { return b }\n else b--\n return b }"
    deepStrictEqual(resultsOf(text, 1).slice(0, 3), [1, 0, -1])
    // What an optional chain leaves out, it leaves out as a whole.
    deepStrictEqual(resultsOf("export const f = (a?: { b: { c: 1 } }) => a?.b.c"), [undefined, "thrown"])
  })

  it("leave every module of the core one that can be read, with nothing else changed", () => {
    const ids = new Set<number>()
    let first = 1
    for (const module of modules) {
      const text = readFileSync(join(src, module), "utf8")
      const { code, mutants } = instrument(module, text, first)
      for (const { id } of mutants) ids.add(id)
      strictEqual(ids.size, first - 1 + mutants.length)
      first += mutants.length
      assert.doesNotThrow(() => transformSync(code, { loader: "ts" }), module)
    }
    assert.isAbove(ids.size, 2_000)
  })
})
