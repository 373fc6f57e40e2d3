import openapiTS, { astToString } from "openapi-typescript"
import ts from "typescript"
import { assert, it } from "vitest"
import { z } from "zod"
import { defineEvents } from "../src/events.js"
import { toOpenApi } from "../src/openapi.js"

/** What the compiler says of a program. */
const mistakesIn = (program: string): ReadonlyArray<string> => {
  const options: ts.CompilerOptions = { strict: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2022 }
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  host.getSourceFile = (name, ...rest) =>
    name === "program.ts" ? ts.createSourceFile(name, program, ts.ScriptTarget.ES2022) : getSourceFile(name, ...rest)
  return ts.getPreEmitDiagnostics(ts.createProgram(["program.ts"], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))
}

it("openapi-typescript makes types of the document that say what the schemas say", async () => {
  const Item = z.object({ sku: z.string(), amount: z.int() }).meta({ id: "Item" })
  const events = defineEvents({
    "orders.created": z.object({ order_id: z.string(), items: z.array(Item), note: z.string().optional() }),
    "orders.changed": z.object({ order_id: z.string(), item: Item.nullable(), kind: z.enum(["more", "less"]) })
  })
  const types = astToString(await openapiTS(toOpenApi(events, { title: "Shop", version: "1.0.0" }) as never))
  const program = (code: string) =>
    `${types}
    type Payload<T extends keyof webhooks> = webhooks[T]["post"]["requestBody"]["content"]["application/json"]
    ${code}`
  assert.deepStrictEqual(
    mistakesIn(program(`
      const created: Payload<"orders.created"> = { order_id: "o_1", items: [{ sku: "a", amount: 1 }] }
      const changed: Payload<"orders.changed"> = { order_id: "o_1", item: null, kind: "more" }
      const item: components["schemas"]["Item"] = created.items[0]
      const signature: webhooks["orders.created"]["post"]["parameters"]["header"]["hookrail-signature"] = "t=1,v1=2"
    `)),
    []
  )
  assert.lengthOf(
    mistakesIn(program(`
      const created: Payload<"orders.created"> = { order_id: 1, items: [] }
      const changed: Payload<"orders.changed"> = { order_id: "o_1", item: null, kind: "same" }
    `)),
    2
  )
})
