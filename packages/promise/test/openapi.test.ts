import { Validator } from "@seriousme/openapi-schema-validator"
import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import { Schema as Schema4 } from "effect"
import { JSONSchema as JsonSchema3, Schema as Schema3 } from "effect-3"
import { Topic } from "hookrail"
import * as v from "valibot"
import { assert, describe, it } from "vitest"
import { z } from "zod"
import { codec, defineEvents, type EventCatalogue, type StandardSchema } from "../src/events.js"
import {
  HookrailConfigError,
  JsonSchemaError,
  type OpenApiDocument,
  toExample,
  toJsonSchema,
  toOpenApi
} from "../src/openapi.js"

const info = { title: "Shop", version: "1.0.0" }

const Zod = z.object({ order_id: z.string(), total: z.int().min(1), note: z.string().optional() }).meta({
  title: "An order was created",
  description: "Once for each order."
})

const Effect4 = Schema4.Struct({
  order_id: Schema4.String,
  total: Schema4.Int,
  note: Schema4.optionalKey(Schema4.String)
})

const Effect3 = Schema3.Struct({
  order_id: Schema3.String,
  total: Schema3.Int,
  note: Schema3.optional(Schema3.String)
})

const catalogues = {
  zod: defineEvents({ "orders.created": Zod }),
  valibot: defineEvents({
    "orders.created": toStandardJsonSchema(
      v.object({ order_id: v.string(), total: v.pipe(v.number(), v.integer()), note: v.optional(v.string()) })
    )
  }),
  arktype: defineEvents({ "orders.created": type({ order_id: "string", total: "number.integer", "note?": "string" }) }),
  effect4: defineEvents({
    "orders.created": Schema4.toStandardJSONSchemaV1(Schema4.toStandardSchemaV1(Effect4))
  }),
  topics: defineEvents(Topic.toEvents([Topic.make("orders.created", Effect4)]))
}

const validated = async (document: object): Promise<void> => {
  const { errors, valid } = await new Validator().validate(document as Record<string, unknown>)
  assert.isTrue(valid, JSON.stringify(errors))
}

/** All references in a document, and whether each leads somewhere. */
const dangling = (document: object): ReadonlyArray<string> => {
  const refs: Array<string> = []
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (key === "$ref" && typeof inner === "string") refs.push(inner)
      walk(inner)
    }
  }
  walk(document)
  return refs.filter((ref) => {
    let found: unknown = document
    for (const token of ref.slice(2).split("/")) {
      found = (found as Record<string, unknown> | undefined)?.[token.replaceAll("~1", "/").replaceAll("~0", "~")]
    }
    return found === undefined
  })
}

describe.each(["zod", "valibot", "arktype", "effect4", "topics"] as const)("a catalogue of %s", (name) => {
  const events: EventCatalogue<{ readonly "orders.created": object }> = catalogues[name] as never

  it("is exported as JSON Schema", () => {
    const schema = toJsonSchema(events)["orders.created"]
    assert.deepInclude(schema, { $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" })
    assert.sameMembers(schema["required"] as Array<string>, ["order_id", "total"])
    assert.deepInclude((schema["properties"] as { readonly total: object }).total, { type: "integer" })
  })

  it("is exported as webhooks of OpenAPI, which a validator accepts", async () => {
    const document = toOpenApi(events, info)
    await validated(document)
    assert.deepStrictEqual(document.info, info)
    assert.deepStrictEqual(Object.keys(document.webhooks), ["orders.created"])
    assert.deepStrictEqual(dangling(document), [])
    assert.notInclude(JSON.stringify(document), "$schema")
  })

  it("has an example that fits", async () => {
    const example = await toExample(events, "orders.created") as { readonly order_id: unknown; readonly total: unknown }
    assert.deepStrictEqual([typeof example.order_id, typeof example.total], ["string", "number"])
  })
})

it("is one document, whatever the topics are called and share", async () => {
  const Item = z.object({ sku: z.string(), price: z.number() }).meta({ id: "Item" })
  const Tree: z.ZodType<{ name: string; children?: Array<unknown> | undefined }> = z.object({
    name: z.string(),
    get children() {
      return z.array(Tree).optional()
    }
  })
  const Other = z.object({ other: z.boolean() }).meta({ id: "Money" })
  const Money = z.object({ cents: z.int(), items: z.literal("#/x") })
  const events = defineEvents({
    "orders.created": z.object({ items: z.array(Item), other: Other }),
    "orders.changed": z.object({ item: Item, before: Item }),
    "orders/changed": Item,
    "orders changed": Money,
    "bestellung.geöffnet": Tree,
    ["__proto__"]: z.object({ total: z.object({ cents: z.int() }).meta({ id: "Money" + "2" }), again: Item })
  })
  const document = toOpenApi(events, { ...info, description: "What happens in the shop." })
  await validated(document)
  assert.deepStrictEqual(Object.keys(document.webhooks), Array.from(events.topics))
  assert.deepStrictEqual(dangling(document), [])
  const names = Object.keys(document.components["schemas"]!)
  assert.includeMembers(names, ["orders.created", "orders_changed", "orders_changed_2", "__proto__"])
  assert.lengthOf(names.filter((name) => /\bItem$/.test(name)), 1, names.join())
  assert.isTrue(names.every((name) => /^[A-Za-z0-9._-]+$/.test(name)), names.join())
})

it("keeps definitions apart that only have the same name", async () => {
  // What looks like a reference, but is none.
  const noSchemas = { examples: [{ $ref: "#/$defs/Part" }], default: { $ref: "#" } }
  const defined = (id: string, of: object) => ({
    type: "object",
    properties: { part: { $ref: "#/$defs/Part" }, [id]: { $ref: "#" }, deep: { $ref: "#/properties/part" } },
    $defs: { Part: of, "a/b": { $ref: "#/$defs/Part/properties/x" } },
    ...noSchemas
  })
  const any = z.unknown()
  const events = defineEvents({ one: any, two: any, three: any })
  const document = toOpenApi(events, {
    ...info,
    schemas: {
      one: defined("one", { properties: { x: { type: "string" } } }),
      two: defined("two", { properties: { x: { type: "number" } } }),
      three: { $id: "https://example.com/three", definitions: { Item: true }, allOf: [{ $ref: "#/definitions/Item" }] }
    }
  })
  // The validator takes any `$ref` for a reference.
  await validated(
    JSON.parse(JSON.stringify(document, (key, value: unknown) => key in noSchemas ? undefined : value)) as object
  )
  const schemas = document.components["schemas"] as Record<string, { readonly properties: Record<string, object> }>
  assert.deepStrictEqual(Object.keys(schemas), [
    "one",
    "one.Part",
    "one.a_b",
    "two",
    "two.Part",
    "two.a_b",
    "three",
    "Item"
  ])
  assert.deepStrictEqual(schemas["two"]!.properties, {
    part: { $ref: "#/components/schemas/two.Part" },
    two: { $ref: "#/components/schemas/two" },
    deep: { $ref: "#/components/schemas/two/properties/part" }
  })
  assert.deepStrictEqual(schemas["two.a_b"], { $ref: "#/components/schemas/two.Part/properties/x" } as never)
  assert.deepInclude(schemas["two"], noSchemas as never)
})

it("tells what is sent, not what handlers get", () => {
  const timestamp = z.codec(z.iso.datetime(), z.date(), {
    decode: (text) => new Date(text),
    encode: (date) => date.toISOString()
  })
  const Order = z.object({
    placed: timestamp,
    paid: z.boolean().default(false),
    name: z.string().transform((s) => s.length)
  })
  const events = defineEvents({ order: codec(Order, () => ({ placed: "", name: "" })) })
  const { properties, required } = toJsonSchema(events).order as {
    readonly properties: { readonly [name: string]: object }
    readonly required: ReadonlyArray<string>
  }
  assert.deepInclude(properties["placed"], { type: "string", format: "date-time" })
  assert.deepInclude(properties["name"], { type: "string" })
  assert.sameMembers([...required], ["placed", "name"])
})

describe("what cannot be exported", () => {
  const fails = (run: () => unknown): JsonSchemaError => {
    try {
      run()
    } catch (error) {
      assert.instanceOf(error, JsonSchemaError)
      assert.include(error.stack, "openapi.test.ts")
      return error
    }
    return assert.fail("it did not fail")
  }

  const own: StandardSchema = { "~standard": { version: 1, vendor: "own", validate: (value) => ({ value }) } }

  it("is named, with what to do", () => {
    const events = defineEvents({
      fine: z.string(),
      date: z.object({ at: z.date() }),
      valibot: v.string(),
      effect: Schema3.standardSchemaV1(Effect3),
      own
    })
    for (const run of [() => toJsonSchema(events), () => toOpenApi(events, info)]) {
      const error = fails(run)
      assert.deepInclude(error, { _tag: "JsonSchemaError", name: "JsonSchemaError", topic: "date" })
      assert.include(error.message, "topic \"date\": its schema cannot be exported: Date cannot be represented")
      assert.include(error.message, "The same for \"valibot\", \"effect\", \"own\", see failures.")
      assert.deepStrictEqual(error.failures.map(({ topic }) => topic), ["date", "valibot", "effect", "own"])
      assert.include(error.failures[1]!.reason, "toStandardJsonSchema(schema)")
      assert.include(error.failures[2]!.reason, "jsonSchema2020-12")
      assert.include(error.failures[3]!.reason, "the option schemas")
    }
    const many = defineEvents(Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`topic${n}`, own])))
    assert.isBelow(fails(() => toJsonSchema(many)).message.length, 600)
  })

  it("is given as an option", async () => {
    const events = defineEvents({ effect: Schema3.standardSchemaV1(Effect3), fine: z.string() })
    const document = toOpenApi(events, {
      ...info,
      schemas: { effect: JsonSchema3.make(Effect3, { target: "jsonSchema2020-12" }) }
    })
    await validated(document)
    assert.deepInclude(document.components["schemas"]!["effect"], { type: "object" } as never)
  })

  it("is what answers nonsense, too", () => {
    const exporting = (input: unknown): StandardSchema =>
      ({ "~standard": { ...own["~standard"], jsonSchema: { input } } }) as StandardSchema
    const thrown = () => {
      throw new Error("a reason.".repeat(100))
    }
    const circle: { self?: unknown } = {}
    circle.self = circle
    for (const input of [thrown, () => undefined, () => "no", () => [], () => circle, "no", null]) {
      const error = fails(() => toJsonSchema(defineEvents({ topic: exporting(input) })))
      assert.isBelow(error.message.length, 400)
    }
  })

  it("is no catalogue, no title, or a schema of no topic", () => {
    const events = defineEvents({ fine: z.string() })
    for (
      const [run, option] of [
        [() => toJsonSchema({} as never), "events"],
        [() => toJsonSchema(undefined as never), "events"],
        [() => toOpenApi(events, undefined as never), "title"],
        [() => toOpenApi(events, { title: "Shop" } as never), "version"],
        [() => toOpenApi(events, { ...info, description: 7 as never }), "description"],
        [() => toJsonSchema(events, { schemas: { find: {} } as never }), "schemas"]
      ] as const
    ) {
      try {
        run()
        assert.fail("it did not fail")
      } catch (error) {
        assert.instanceOf(error, HookrailConfigError)
        assert.strictEqual(error.option, option)
      }
    }
  })
})

describe("examples", () => {
  const example = (schema: StandardSchema, json?: object): Promise<unknown> =>
    toExample(defineEvents({ topic: schema }), "topic", json === undefined ? {} : { schemas: { topic: json } })

  it("fit all kinds of schemas", async () => {
    const Tree: z.ZodType = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree)
      },
      get left() {
        return Tree.optional()
      }
    })
    const schemas = [
      z.object({
        id: z.uuid(),
        mail: z.email(),
        url: z.url(),
        at: z.iso.datetime(),
        day: z.iso.date(),
        code: z.string().min(12).max(20),
        short: z.string().max(2),
        count: z.int().min(7).max(9),
        even: z.number().multipleOf(2),
        positive: z.number().positive(),
        small: z.int().lt(0),
        tags: z.array(z.string()).min(2),
        none: z.null(),
        maybe: z.string().nullable(),
        either: z.union([z.object({ a: z.string() }), z.number()]),
        kind: z.enum(["a", "b"]),
        fixed: z.literal(7),
        pair: z.tuple([z.string(), z.boolean()]),
        map: z.record(z.string(), z.number()),
        flag: z.boolean().default(false),
        nested: z.object({ deep: z.object({ deeper: z.int() }) }),
        all: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
        any: z.unknown()
      }),
      Tree,
      z.string(),
      type({ a: "string > 3", "b?": "number < 10", c: "'x' | 'y'" }),
      Schema4.toStandardJSONSchemaV1(
        Schema4.toStandardSchemaV1(Schema4.Struct({ a: Schema4.NonEmptyString, b: Schema4.Array(Schema4.Number) }))
      )
    ]
    for (const schema of schemas) await example(schema as StandardSchema)
  })

  it("are what a schema gives itself", async () => {
    const Order = z.object({ order_id: z.string().regex(/^o_\d+$/) })
    assert.deepStrictEqual(await example(Order.meta({ examples: [{ order_id: "o_7" }] })), { order_id: "o_7" })
    const error = await example(Order).then(() => assert.fail("it did not fail"), (error: unknown) => error)
    assert.instanceOf(error, JsonSchemaError)
    assert.match(
      error.message,
      /the example that was made does not fit: at \$\.order_id, .*Give the schema an example\.$/
    )
  })

  it("end with a schema that does not", async () => {
    const any = z.unknown()
    await example(any, { $ref: "#" })
    await example(any, { type: "object", properties: { self: { $ref: "#" } }, required: ["self"] })
    await example(any, { $ref: "#/nowhere" })
    await example(any, { type: "array", minItems: 1e9, items: {} })
    await example(any, { type: "string", minLength: 1e9 })
    await example(any, { anyOf: [{ $ref: "#" }, { type: "null" }] })
  })
})

it("the document is typed by its topics", () => {
  const document: OpenApiDocument<"orders.created"> = toOpenApi(catalogues.zod, info)
  assert.deepInclude(document.webhooks["orders.created"].post, {
    summary: "An order was created",
    description: "Once for each order."
  })
})
