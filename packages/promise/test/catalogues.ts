/** The same catalogue, in the words of each library. */
import { type } from "arktype"
import { Effect, Schema as Schema4 } from "effect"
import { Schema as Schema3 } from "effect-3"
import { Topic } from "hookrail"
import * as v from "valibot"
import { z } from "zod"
import { codec, defineEvents } from "../src/events.js"

const Zod = z.object({
  order_id: z.string(),
  total: z.number(),
  placed: z.codec(z.iso.datetime(), z.date(), {
    decode: (text) => new Date(text),
    encode: (date) => date.toISOString()
  })
})

const Valibot = v.object({
  order_id: v.string(),
  total: v.number(),
  placed: v.pipe(v.string(), v.isoTimestamp(), v.transform((text) => new Date(text)))
})

const ArkType = type({ order_id: "string", total: "number", placed: "string.date.iso.parse" })

const Effect4 = Schema4.Struct({ order_id: Schema4.String, total: Schema4.Number, placed: Schema4.DateFromString })

const Effect3 = Schema3.Struct({ order_id: Schema3.String, total: Schema3.Number, placed: Schema3.Date })

export const zod = defineEvents({
  "orders.created": Zod,
  "orders.placed": codec(Zod, (order) => z.encode(Zod, order)),
  "invoices.paid": z.object({ invoice: z.string(), paid: z.boolean().default(true) })
})

export const valibot = defineEvents({
  "orders.created": Valibot,
  "orders.placed": codec(Valibot, (order) => ({ ...order, placed: order.placed.toISOString() })),
  "invoices.paid": v.object({ invoice: v.string(), paid: v.optional(v.boolean(), true) })
})

export const arktype = defineEvents({
  "orders.created": ArkType,
  "orders.placed": codec(ArkType, (order) => ({ ...order, placed: order.placed.toISOString() })),
  "invoices.paid": type({ invoice: "string", paid: "boolean = true" })
})

export const effect4 = defineEvents({
  "orders.created": Schema4.toStandardSchemaV1(Effect4),
  "orders.placed": codec(Schema4.toStandardSchemaV1(Effect4), Schema4.encodeSync(Effect4)),
  "invoices.paid": Schema4.toStandardSchemaV1(Schema4.Struct({
    invoice: Schema4.String,
    paid: Schema4.Boolean.pipe(Schema4.withDecodingDefaultKey(Effect.succeed(true)))
  }))
})

export const effect3 = defineEvents({
  "orders.created": Schema3.standardSchemaV1(Effect3),
  "orders.placed": codec(Schema3.standardSchemaV1(Effect3), Schema3.encodeSync(Effect3)),
  "invoices.paid": Schema3.standardSchemaV1(Schema3.Struct({
    invoice: Schema3.String,
    paid: Schema3.optionalWith(Schema3.Boolean, { default: () => true })
  }))
})

export const topics = defineEvents(
  Topic.toEvents([Topic.make("orders.created", Effect4), Topic.make("orders.placed", Effect4)])
)
