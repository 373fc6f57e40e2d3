import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { Event, Topic } from "../src/index.js"

interface Wire {
  readonly id: string
  readonly at: string
}

interface Decoded {
  readonly id: string
  readonly at: Date
}

/** As Zod, Valibot and ArkType make it, with a value in its message. */
const Order: {
  readonly "~standard": { version: 1; vendor: string; validate: (value: unknown) => Result; types?: Types }
} = {
  "~standard": {
    version: 1,
    vendor: "own",
    validate: (value) => {
      const { at, id } = value as Wire
      return typeof id === "string"
        ? { value: { id, at: new Date(at) } }
        : { issues: [{ message: `expected a string, actual ${String(id)}`, path: ["id"] }] }
    }
  }
}

type Types = { readonly input: Wire; readonly output: Decoded }

type Result =
  | { readonly value: Decoded; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<{ readonly message: string; readonly path: ReadonlyArray<string> }> }

const topics = Topic.fromEvents({
  "orders.created": Order,
  "orders.paid": {
    schema: Order,
    encode: (order: Decoded) => ({ ...order, at: order.at.toISOString() })
  },
  "orders.slow": { "~standard": { version: 1, vendor: "own", validate: async (value: unknown) => ({ value }) } },
  "orders.broken": {
    "~standard": {
      version: 1,
      vendor: "own",
      validate: () => {
        throw new TypeError("secret")
      }
    }
  }
})

const at = "2026-01-02T03:04:05.000Z"

describe("topics of a plain catalogue", () => {
  it.effect("send the input as JSON, and give handlers the output", () =>
    Effect.gen(function*() {
      const created = topics["orders.created"]
      const sent = yield* created.encode({ id: "o_1", at })
      assert.deepStrictEqual(sent, { id: "o_1", at })
      assert.deepStrictEqual(yield* created.decode(sent), { id: "o_1", at: new Date(at) })
      assert.deepStrictEqual(yield* topics["orders.paid"].encode({ id: "o_1", at: new Date(at) }), { id: "o_1", at })
      assert.deepStrictEqual(yield* topics["orders.slow"].encode({ n: 1 }), { n: 1 })
      const { body } = yield* Event.encode(Event.make(created, { id: "o_1", at }))
      assert.include(new TextDecoder().decode(body), `"at":"${at}"`)
    }))

  it.effect("refuse what does not fit, without its values", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Event.encode(Event.make(topics["orders.created"], { id: 987654 as never, at })))
      assert.strictEqual(error._tag, "InvalidPayloadError")
      assert.include(error.message, "$.id")
      assert.notInclude(error.message, "987654")
      const lost = yield* Effect.flip(topics["orders.slow"].encode({ n: Number.NaN }))
      assert.strictEqual(lost.path, "$.n")
    }))

  it.effect("take a schema that throws for a fault of the sender, and for a defect of the receiver", () =>
    Effect.gen(function*() {
      const fault = yield* Effect.flip(topics["orders.broken"].encode({}))
      assert.include(fault.reason, "TypeError")
      assert.notInclude(fault.reason, "secret")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(topics["orders.broken"].decode({}))))
    }))

  it.effect("wait for an encode that takes its time", () =>
    Effect.gen(function*() {
      const { later, never } = Topic.fromEvents({
        later: { schema: Order, encode: async (order: Decoded) => ({ ...order, at: order.at.toISOString() }) },
        never: { schema: Order, encode: () => Promise.reject(new RangeError("secret")) }
      })
      assert.deepStrictEqual(yield* later.encode({ id: "o_1", at: new Date(at) }), { id: "o_1", at })
      const fault = yield* Effect.flip(never.encode({ id: "o_1", at: new Date(at) }))
      assert.deepInclude(fault, {
        path: "$",
        reason: "the encode of its topic threw RangeError: correct that, or what it calls"
      })
    }))

  it.effect("take an answer that is none for a mistake in the schema", () =>
    Effect.gen(function*() {
      const answers = [undefined, null, true, "ok", 7, {}, { issues: "none" }, { issues: null }]
      for (const answer of [...answers, ...answers.map((answer) => Promise.resolve(answer))]) {
        const { junk } = Topic.fromEvents({
          junk: { "~standard": { version: 1, vendor: "own", validate: () => answer as never } }
        })
        const fault = yield* Effect.flip(junk.encode({ id: 1 }))
        assert.include(fault.reason, "{ value } or { issues }")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(junk.decode({ id: 1 }))))
      }
      const { none } = Topic.fromEvents({
        none: { "~standard": { version: 1, vendor: "own", validate: () => ({ issues: [] }) } }
      })
      assert.deepInclude(yield* Effect.flip(none.encode({})), { path: "$", reason: "it does not fit" })
    }))

  it.effect("send what they were given, whatever the schema does to its copy", () =>
    Effect.gen(function*() {
      const { spoilt } = Topic.fromEvents({
        spoilt: {
          "~standard": {
            version: 1,
            vendor: "own",
            validate: (value: unknown) => ({ value: Object.assign(value as object, { id: "spoilt" }) })
          }
        }
      })
      const payload = { id: "o_1" }
      assert.deepStrictEqual(yield* spoilt.encode(payload), { id: "o_1" })
      assert.deepStrictEqual(payload, { id: "o_1" })
    }))

  it.effect("say how a date that the schema wants has to be sent", () =>
    Effect.gen(function*() {
      const { dated } = Topic.fromEvents({
        dated: {
          "~standard": {
            version: 1,
            vendor: "own",
            validate: () => ({ issues: [{ message: "expected date, received string", path: [{ key: "at" }] }] })
          }
        }
      })
      const fault = yield* Effect.flip(dated.encode({ at: new Date(at) }))
      assert.strictEqual(fault.path, "$.at")
      assert.include(fault.reason, "JSON has no dates")
      assert.notInclude((yield* Effect.flip(dated.encode({ at }))).reason, "JSON has no dates")
    }))
})

describe("topics for programs without Effect code", () => {
  const Created = Topic.make("orders.created", Schema.Struct({ id: Schema.String, at: Schema.Date }))
  const order = { id: "o_1", at: new Date(at) }

  it.effect("become topics again that send and receive the same", () =>
    Effect.gen(function*() {
      const definitions = Topic.toEvents([Created, topics["orders.paid"]])
      assert.deepStrictEqual(Object.keys(definitions), ["orders.created", "orders.paid"])
      const again = Topic.fromEvents(definitions)["orders.created"]
      const sent = yield* again.encode(order)
      assert.deepStrictEqual(sent, yield* Created.encode(order))
      assert.deepStrictEqual(sent, { id: "o_1", at })
      assert.deepStrictEqual(yield* again.decode(sent), order)
      const twice = Topic.toEvents([topics["orders.paid"]])["orders.paid"]
      assert.deepStrictEqual(yield* Topic.fromEvents({ twice }).twice.encode(order as never), { id: "o_1", at })
    }))

  it.effect("say where a payload does not fit, without its values", () =>
    Effect.gen(function*() {
      const again = Topic.fromEvents(Topic.toEvents([Created]))["orders.created"]
      const unsent = yield* Effect.flip(again.encode({ id: 987654 as never, at: order.at }))
      assert.strictEqual(unsent.path, "$.id")
      const unread = yield* Effect.flip(again.decode({ id: 987654, at }))
      assert.strictEqual(unread.path, "$.id")
      assert.notInclude(`${unsent.reason} ${unread.reason}`, "987654")
    }))

  it.effect("may have a Schema that works asynchronously", () =>
    Effect.gen(function*() {
      const Slow = Topic.make(
        "slow",
        Schema.transformOrFail(Schema.String, Schema.Number, {
          strict: true,
          decode: (text) => Effect.promise(async () => Number(text)),
          encode: (number) => Effect.promise(async () => String(number))
        })
      )
      const { slow } = Topic.fromEvents(Topic.toEvents([Slow]))
      assert.strictEqual(yield* slow.encode(7), "7")
      assert.strictEqual(yield* slow.decode("7"), 7)
      assert.strictEqual((yield* Effect.flip(slow.encode("7" as never))).path, "$")
    }))

  it("can be exported as JSON Schema", () => {
    const { schema } = Topic.toEvents([Created])["orders.created"]
    const { jsonSchema } = schema["~standard"] as unknown as {
      readonly jsonSchema: { readonly input: (options: { readonly target: string }) => object }
    }
    const exported = jsonSchema.input({ target: "draft-2020-12" })
    assert.deepInclude(exported, { type: "object", required: ["id", "at"] })
  })
})

it.effect("topics of a catalogue that defineEvents has made", () =>
  Effect.gen(function*() {
    const definitions = new Map([["orders.created", Order]])
    const unused = () => undefined
    const catalogue = {
      "~hookrail/EventCatalogue": { definitions, encode: unused, decode: unused, unknown: () => "" }
    }
    const made: object = Topic.fromEvents(catalogue)
    assert.deepStrictEqual(Object.keys(made), ["orders.created"])
    const created = (made as { readonly "orders.created": Topic.Typed<unknown, unknown> })["orders.created"]
    assert.deepStrictEqual(yield* created.encode({ id: "o_1", at }), { id: "o_1", at })
  }))
