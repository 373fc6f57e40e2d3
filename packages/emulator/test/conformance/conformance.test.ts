import { assert, describe, it } from "vitest"
import { adminCases } from "./admin.js"
import { runCase } from "./case.js"
import { deliveryCases } from "./delivery.js"
import { idempotencyCases } from "./idempotency.js"
import { ingestCases } from "./ingest.js"
import { statusCases } from "./status.js"

const cases = [...ingestCases, ...idempotencyCases, ...statusCases, ...deliveryCases, ...adminCases]

describe("protocol section 8", () => {
  for (const one of cases) it(`${one.id} (${one.section}): ${one.title}`, () => runCase(one))

  it("has no case twice", () => {
    assert.lengthOf(new Set(cases.map(({ id }) => id)), cases.length)
  })
})
