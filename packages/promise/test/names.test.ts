/** Short names of fields in the bundle. */
import { transformAsync } from "@babel/core"
import { readdir, readFile } from "node:fs/promises"
import { assert, describe, it } from "vitest"
import { effectNames, shortenEffect, shortNames } from "../names.js"

const transformed = async (code: string, names = shortNames()): Promise<string> => {
  const options = { babelrc: false, configFile: false, parserOpts: { plugins: ["typescript" as const] } }
  const result = await transformAsync(code, { ...options, plugins: [names.plugin], retainLines: false })
  return result!.code!.replace(/\s+/g, " ")
}

describe("private fields", () => {
  it("have short names, wherever they are used", async () => {
    const code = await transformed(`class Box {
      private inner = 1
      private readonly outer: number
      both() {
        const { inner, outer: other } = this
        return inner + other + this.inner++ + this.twice()
      }
      private twice = () => 2 * this.outer
      private read() {
        return this.read()
      }
    }`)
    assert.notMatch(code, /\bthis\.(inner|outer|twice)\b/)
    assert.include(code, "const { a: inner, b: other } = this")
    assert.include(code, "inner + other + this.a++ + this.c()")
    assert.include(code, "2 * this.b")
    assert.include(code, "return this.read()", "a method: stacks show its name")
  })

  it("that are parameters are assigned, after a call of super", async () => {
    const code = await transformed(`class Inner extends Callback {
      constructor(private readonly given: number, readonly shown: number, added = 1) {
        super()
        use(given, added)
      }
    }`)
    assert.include(code, "constructor(given: number, shown: number, added = 1)")
    assert.include(code, "super(); this.a = given; this.shown = shown; use(given, added);")
  })

  for (
    const [how, code] of [
      ["of another object", "class Box { private kept = 0; add(box: Box) { this.kept += box.kept } }"],
      ["in a pattern", "class Box { private kept = 0; add({ kept }: Box) { this.kept += kept } }"],
      ["by a text", "class Box { private kept = 0; get(name: string) { return this.kept + this[name] } }"],
      ["with all others", "class Box { private kept = 0; copy() { this.kept++; return { ...this } } }"],
      ["in a rest", "class Box { private kept = 0; rest() { const { a, ...rest } = this; return this.kept } }"],
      ["of a function's own object", "class Box { private kept = 0; f() { return function() { return this.kept } } }"],
      ["declared only", "class Box { declare private kept: number; f() { return this.kept } }"]
    ] as const
  ) {
    it(`keep their names if they are used ${how}`, async () => {
      assert.match(await transformed(code), /\bthis\.kept\b/)
    })
  }

  it("of a derived class have names that differ from those above", async () => {
    const names = shortNames()
    await transformed("class Base { private one = 1; f() { return this.one } }", names)
    const code = await transformed("class Derived extends Base { private two = 2; g() { return this.two } }", names)
    assert.include(code, "return this.$a")
    names.check()
  })

  it("are refused in three generations", async () => {
    const names = shortNames()
    const body = (name: string) => `{ private ${name} = 1; f() { return this.${name} } }`
    await transformed(
      `class A ${body("one")} class B extends A ${body("two")} class C extends B ${body("three")}`,
      names
    )
    assert.throws(() => names.check(), /C and B have the same short names/)
  })

  it("are refused above a class that may have the same", async () => {
    const names = shortNames()
    await transformed("class Callback { private one = 1 } class Call extends Callback { private two = 2 }", names)
    assert.throws(() => names.check(), /Call and Callback have the same short names/)
  })
})

describe("constants of a module", () => {
  it("are written where they are used", async () => {
    const code = await transformed("const limit = 3\nconst what = 'a text'\nuse(limit, { limit }, what)")
    assert.strictEqual(code, "use(3, { limit: 3 }, 'a text');")
  })

  it("stay if they are exported, or are texts that are used twice", async () => {
    const code = "const a = 1; export const b = 2; const text = \"t\"; use(b, text, text); export { a };"
    assert.strictEqual(await transformed(code), code)
  })
})

it("members of Effect have the same names in Effect and in this workspace", async () => {
  const [, short] = /\.(\w+)/.exec(shortenEffect("fiber.getCont(f)"))!
  assert.notStrictEqual(short, "getCont")
  assert.strictEqual(await transformed("fiber.getCont(f)"), `fiber.${short}(f);`)
  assert.strictEqual(shortenEffect("mygetCont"), "mygetCont")
})

it("no export of Effect has the short name of a member", async () => {
  const dist = new URL("../node_modules/effect/dist/", import.meta.url)
  const names = effectNames.join("|")
  const exported = new RegExp(`^export (?:const|function|class) (?:${names})\\b|\\bas (?:${names})\\b`, "m")
  for (const folder of ["", "internal/"]) {
    for (const file of await readdir(new URL(folder, dist))) {
      if (!file.endsWith(".js")) continue
      assert.notMatch(await readFile(new URL(folder + file, dist), "utf8"), exported, file)
    }
  }
})
