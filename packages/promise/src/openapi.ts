/**
 * Exports a catalogue of events for those who do not use it: as JSON Schema, and as the webhooks of an OpenAPI 3.1 document.
 *
 * @example
 * ```ts
 * import { defineEvents } from "@hookrail/promise/events"
 * import { toOpenApi } from "@hookrail/promise/openapi"
 * import { writeFileSync } from "node:fs"
 * import { z } from "zod"
 *
 * export const events = defineEvents({ "orders.created": z.object({ order_id: z.string() }) })
 *
 * writeFileSync("openapi.json", JSON.stringify(toOpenApi(events, { title: "Shop", version: "1.0.0" }), null, 2))
 * ```
 *
 * @since 0.1.0
 */
import { schemaOf } from "hookrail/catalogue/check"
import type { Catalogue, EventDefinition, StandardSchema } from "hookrail/catalogue/model"
import { quote, shorten } from "hookrail/wire/shorten"
import { located } from "./caller.js"
import { checksIn, noCatalogue } from "./catalogue.js"
import { configError } from "./errors.js"
import { assemble, type Part } from "./openapiDocument.js"
import { exampleOf } from "./openapiExample.js"

export { HookrailConfigError } from "./errors.js"

/**
 * A JSON Schema, draft 2020-12.
 *
 * @since 0.1.0
 */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/**
 * @since 0.1.0
 */
export interface JsonSchemaOptions<Topic extends string = string> {
  /** JSON Schemas, draft 2020-12, of topics whose own schemas cannot be exported, or instead of what these would export. */
  readonly schemas?: { readonly [T in Topic]?: object } | undefined
}

/**
 * @since 0.1.0
 */
export interface OpenApiOptions<Topic extends string = string> extends JsonSchemaOptions<Topic> {
  /** The title of the document. */
  readonly title: string
  /** The version of the document, such as `1.0.0`. */
  readonly version: string
  readonly description?: string | undefined
}

/**
 * An OpenAPI 3.1 document.
 *
 * @since 0.1.0
 */
export interface OpenApiDocument<Topic extends string = string> {
  readonly openapi: "3.1.0"
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly webhooks: { readonly [T in Topic]: { readonly post: { readonly [keyword: string]: unknown } } }
  readonly components: { readonly [kind: string]: { readonly [name: string]: object } }
}

/**
 * Topics whose schemas cannot be exported as JSON Schema, and why.
 *
 * @since 0.1.0
 */
export class JsonSchemaError extends Error {
  readonly _tag = "JsonSchemaError"
  override readonly name = "JsonSchemaError"
  /** The first of the topics. */
  readonly topic: string
  readonly reason: string
  /** @internal */
  constructor(readonly failures: ReadonlyArray<{ readonly topic: string; readonly reason: string }>) {
    const [{ reason, topic }] = failures as readonly [{ readonly topic: string; readonly reason: string }]
    const others = failures.slice(1, 10).map((failure) => quote(failure.topic)).join(", ")
    const more = failures.length > 10 ? ` and ${failures.length - 10} more` : ""
    super(`topic ${quote(topic)}: ${reason}.${others === "" ? "" : ` The same for ${others}${more}, see failures.`}`)
    this.topic = topic
    this.reason = reason
  }
}

/**
 * The payloads of all topics as JSON Schema, draft 2020-12: as they are sent, which is the input of the schemas.
 *
 * The schemas say what they are by Standard JSON Schema: those of Zod (4.2 and newer) and ArkType do, those of `Topic.toEvents`,
 * those of Valibot by `toStandardJsonSchema`, those of Effect 4 by `Schema.toStandardJSONSchemaV1`. For others there is the option
 * `schemas`. Throws a `JsonSchemaError` that names the topics that cannot be exported.
 *
 * @since 0.1.0
 */
export const toJsonSchema = <Sent extends object>(
  events: Catalogue<Sent>,
  options: JsonSchemaOptions<keyof Sent & string> = {}
): { readonly [T in keyof Sent & string]: JsonSchema } =>
  Object.fromEntries(partsOf(events, options).map(({ schema, topic }) => [topic, schema])) as never

/**
 * The catalogue as the webhooks of an OpenAPI 3.1 document: the payload of each topic, the headers of a delivery, and how answers
 * are taken. Throws as `toJsonSchema` does.
 *
 * @since 0.1.0
 */
export const toOpenApi = <Sent extends object>(
  events: Catalogue<Sent>,
  options: OpenApiOptions<keyof Sent & string>
): OpenApiDocument<keyof Sent & string> => {
  const { description, title, version } = options ?? {}
  for (const [name, value] of Object.entries({ title, version, description })) {
    if (typeof value !== "string" && (name !== "description" || value !== undefined)) {
      throw located(configError(name, "must be a text"))
    }
  }
  return assemble(
    { title, version, ...(description === undefined ? {} : { description }) },
    partsOf(events, options)
  ) as never
}

/**
 * A payload for a topic, made from its JSON Schema: for a first try. It prefers what the schema gives as `examples`, `default`
 * or `const`. Resolves to the JSON value that is sent. Rejects with a `JsonSchemaError` if there is no JSON Schema, or if what was
 * made does not fit the topic's own schema: give it an example then.
 *
 * @since 0.1.0
 */
export const toExample = async <Sent extends object, T extends keyof Sent & string>(
  events: Catalogue<Sent>,
  topic: T,
  options: JsonSchemaOptions<T> = {}
): Promise<unknown> => {
  const checks = checksIn(events)
  const definition = checks?.definitions.get(topic)
  if (checks === undefined) throw located(configError("events", noCatalogue))
  if (definition === undefined) throw located(new JsonSchemaError([{ topic, reason: checks.unknown(topic) }]))
  const schema = jsonSchemaOf(topic, definition, options)
  if (typeof schema === "string") throw located(new JsonSchemaError([{ topic, reason: schema }]))
  const example = exampleOf(schema)
  const verdict = await checks.decode(topic, structuredClone(example))
  if (verdict === undefined || !("reason" in verdict)) return example
  const reason =
    `the example that was made does not fit: at ${verdict.path}, ${verdict.reason}. Give the schema an example`
  throw located(new JsonSchemaError([{ topic, reason }]))
}

const partsOf = (events: Catalogue, options: JsonSchemaOptions): ReadonlyArray<Part> => {
  const checks = checksIn(events)
  if (checks === undefined) throw located(configError("events", noCatalogue))
  const unknown = Object.keys(options?.schemas ?? {}).find((topic) => !checks.definitions.has(topic))
  if (unknown !== undefined) throw located(configError("schemas", `${quote(unknown)}: ${checks.unknown(unknown)}`))
  const parts: Array<Part> = []
  const failures: Array<{ readonly topic: string; readonly reason: string }> = []
  for (const [topic, definition] of checks.definitions) {
    const schema = jsonSchemaOf(topic, definition, options)
    if (typeof schema === "string") failures.push({ topic, reason: schema })
    else parts.push({ topic, schema })
  }
  if (failures.length > 0) throw located(new JsonSchemaError(failures))
  return parts
}

/** `~standard` of a schema that implements Standard JSON Schema. */
interface WithJsonSchema {
  readonly jsonSchema?: { readonly input?: (options: { readonly target: "draft-2020-12" }) => unknown }
}

/** The JSON Schema of a topic, or why there is none. */
const jsonSchemaOf = (topic: string, definition: EventDefinition, options: JsonSchemaOptions): JsonSchema | string => {
  const schema = schemaOf(definition)
  const given = options?.schemas !== undefined && Object.hasOwn(options.schemas, topic)
    ? options.schemas[topic]
    : undefined
  const { jsonSchema } = schema["~standard"] as WithJsonSchema
  if (given === undefined && typeof jsonSchema?.input !== "function") {
    return `its schema cannot be exported: ${cureOf(schema)}`
  }
  let made: unknown
  try {
    // A copy: what libraries return may be shared, and have more than JSON.
    made = JSON.parse(JSON.stringify(given ?? jsonSchema!.input!({ target: "draft-2020-12" })))
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return `its schema cannot be exported: ${shorten(message.replace(/\.$/, ""), 200)}`
  }
  if (typeof made === "object" && made !== null && !Array.isArray(made)) return made as JsonSchema
  return "its schema cannot be exported: its JSON Schema is no object"
}

const cureOf = (schema: StandardSchema): string => {
  const option = "give its JSON Schema in the option schemas"
  switch (schema["~standard"].vendor) {
    case "zod":
      return "update Zod to 4.2 or newer"
    case "valibot":
      return "define it as toStandardJsonSchema(schema), from @valibot/to-json-schema"
    case "effect":
      return "define it as Schema.toStandardJSONSchemaV1(Schema.toStandardSchemaV1(schema)); with Effect 3, "
        + "give JSONSchema.make(schema, { target: \"jsonSchema2020-12\" }) in the option schemas"
    case "arktype":
      return "update ArkType to 2.1.28 or newer"
    default:
      return option
  }
}
