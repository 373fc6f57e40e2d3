import { assert, describe, it } from "vitest"
import { missing, nameOf, runCase, runExternal, targetOf } from "./case.js"
import { cases } from "./cases.js"

const target = targetOf(process.env)

describe(`protocol section 8${target === undefined ? "" : ` against ${target.url}`}`, () => {
  for (const one of cases) {
    const reason = target === undefined ? undefined : missing(one, target)
    if (reason !== undefined) it.skip(`${nameOf(one)} (skipped: ${reason})`, () => {})
    else it(nameOf(one), () => target === undefined ? runCase(one) : runExternal(one, target))
  }

  it("has no case twice", () => {
    assert.lengthOf(new Set(cases.map(({ id }) => id)), cases.length)
  })
})
