/** Puts JSON Schemas of payloads together to an OpenAPI document, in which each `$ref` has to be one of the document. */

/** A topic and the JSON Schema of its payload. */
export interface Part {
  readonly topic: string
  readonly schema: Json
}

interface Json {
  readonly [keyword: string]: unknown
}

export const assemble = (info: object, parts: ReadonlyArray<Part>): object => {
  const names = new Names(parts)
  const schemas: Record<string, unknown> = Object.create(null)
  const webhooks: Record<string, unknown> = Object.create(null)
  for (const { schema, topic } of parts) {
    const { $defs = {}, $id: _, $schema: __, definitions = {}, ...payload } = schema
    const name = names.ofTopic(topic)
    const ref = (pointer: string) => names.refOf(topic, pointer)
    schemas[name] = rewritten(payload, ref)
    for (const [def, inner] of Object.entries({ ...definitions as object, ...$defs as object })) {
      schemas[names.ofDef(topic, def)] = rewritten(inner, ref)
    }
    webhooks[topic] = { post: operation(topic, name, payload) }
  }
  // Plain objects: `JSON.stringify` writes both kinds, but tools compare and clone these.
  return { openapi: "3.1.0", info, webhooks: plain(webhooks), components: { schemas: plain(schemas), parameters } }
}

const plain = (object: object): object => Object.fromEntries(Object.entries(object))

// ---------------------------------------------------------------------------------------------------------------
// the webhooks
// ---------------------------------------------------------------------------------------------------------------

const header = (name: string, description: string) => ({
  name,
  in: "header",
  required: true,
  description,
  schema: { type: "string" }
})

/** The headers of a delivery (protocol section 4.1). */
const parameters = {
  "hookrail-topic": header("hookrail-topic", "The topic of the event, in UTF-8. Not signed."),
  "hookrail-event-id": header("hookrail-event-id", "The id of the event. Not signed."),
  "hookrail-delivery-id": header(
    "hookrail-delivery-id",
    "The id of the delivery, the same for each of its attempts: handle it once."
  ),
  "hookrail-signature": header(
    "hookrail-signature",
    "t=<seconds since 1970>,v1=<hex>: HMAC-SHA256 with the endpoint's secret of t, a dot, the delivery id, a dot, and the raw body."
  )
}

/** How answers are classified (protocol section 4.4). */
const responses = {
  "2XX": { description: "The delivery is done." },
  "408": { description: "Not now: it is delivered again." },
  "425": { description: "Not now: it is delivered again." },
  "429": { description: "Not now: it is delivered again, after Retry-After if that is given." },
  "4XX": { description: "Never: the delivery is dead-lettered." },
  "5XX": { description: "Not now: it is delivered again, after Retry-After if that is given." }
}

const operation = (topic: string, name: string, { description, title }: Json): object => ({
  operationId: name,
  summary: typeof title === "string" ? title : topic,
  ...(typeof description === "string" ? { description } : {}),
  parameters: Object.keys(parameters).map((parameter) => ({ $ref: `#/components/parameters/${parameter}` })),
  requestBody: {
    required: true,
    content: { "application/json": { schema: { $ref: `#/components/schemas/${name}` } } }
  },
  responses
})

// ---------------------------------------------------------------------------------------------------------------
// names and references
// ---------------------------------------------------------------------------------------------------------------

const defsOf = ({ $defs, definitions }: Json): Readonly<Record<string, unknown>> => ({
  ...definitions as object,
  ...$defs as object
})

/** A pointer into `$defs`: the name of the definition, and what follows it. */
const intoDefs = (pointer: string): readonly [def: string, rest: string] | undefined => {
  const [, def, rest = ""] = /^#\/(?:\$defs|definitions)\/([^/]*)(\/.*)?$/s.exec(pointer) ?? []
  return def === undefined ? undefined : [unescaped(def), rest]
}

const unescaped = (token: string): string => {
  const text = token.replaceAll("~1", "/").replaceAll("~0", "~")
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The names of the components. What several topics define alike is one component, under its own name. */
class Names {
  private readonly taken = new Set<string>()
  private readonly topics = new Map<string, string>()
  private readonly defs = new Map<string, Map<string, string>>()

  constructor(parts: ReadonlyArray<Part>) {
    for (const { topic } of parts) this.topics.set(topic, this.take(topic))
    const shared = sharedDefs(parts)
    const ofShared = new Map<string, string>()
    for (const { schema, topic } of parts) {
      const own = new Map<string, string>()
      this.defs.set(topic, own)
      for (const def of Object.keys(defsOf(schema))) {
        if (!shared.has(def)) {
          own.set(def, this.take(`${this.ofTopic(topic)}.${def}`))
          continue
        }
        const known = ofShared.get(def) ?? this.take(def)
        ofShared.set(def, known)
        own.set(def, known)
      }
    }
  }

  ofTopic(topic: string): string {
    return this.topics.get(topic)!
  }

  ofDef(topic: string, def: string): string {
    return this.defs.get(topic)!.get(def)!
  }

  /** A reference of a topic's schema as one of the document. */
  refOf(topic: string, pointer: string): string {
    if (pointer === "#" || (pointer.startsWith("#/") && intoDefs(pointer) === undefined)) {
      return `#/components/schemas/${this.ofTopic(topic)}${pointer.slice(1)}`
    }
    const [def, rest] = intoDefs(pointer) ?? []
    const name = def === undefined ? undefined : this.defs.get(topic)!.get(def)
    return name === undefined ? pointer : `#/components/schemas/${name}${rest}`
  }

  /** A name that no other component has, of the characters that OpenAPI permits. */
  private take(wanted: string): string {
    const base = wanted.replace(/[^A-Za-z0-9._-]/g, "_")
    let name = base
    for (let count = 2; this.taken.has(name); count++) name = `${base}_${count}`
    this.taken.add(name)
    return name
  }
}

/** The definitions that are the same wherever there is one of their name, with all that they refer to. */
const sharedDefs = (parts: ReadonlyArray<Part>): ReadonlySet<string> => {
  const texts = new Map<string, string>()
  const different = new Set<string>()
  for (const { schema } of parts) {
    const defs = defsOf(schema)
    for (const def of Object.keys(defs)) {
      const text = closure(defs, def)
      if (text === undefined || (texts.has(def) && texts.get(def) !== text)) different.add(def)
      else texts.set(def, text)
    }
  }
  return new Set(Array.from(texts.keys()).filter((def) => !different.has(def)))
}

/** A definition and those that it refers to, as a text; `undefined` if it refers to the rest of its document. */
const closure = (defs: Readonly<Record<string, unknown>>, start: string): string | undefined => {
  const reached = new Set([start])
  let isClosed = true
  // A set can grow while it is walked.
  for (const def of reached) {
    rewritten(Object.hasOwn(defs, def) ? defs[def] : undefined, (pointer) => {
      const inner = intoDefs(pointer)
      if (inner !== undefined) reached.add(inner[0])
      else if (pointer.startsWith("#")) isClosed = false
      return pointer
    })
  }
  if (!isClosed) return undefined
  return JSON.stringify(Array.from(reached).sort().map((def) => [def, Object.hasOwn(defs, def) ? defs[def] : null]))
}

const one = new Set([
  "additionalItems",
  "additionalProperties",
  "contains",
  "contentSchema",
  "else",
  "if",
  "items",
  "not",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties"
])

const several = new Set(["allOf", "anyOf", "oneOf", "prefixItems"])

const named = new Set(["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"])

/** A schema whose references are others. What is no schema, such as an example, stays as it is. */
const rewritten = (schema: unknown, ref: (pointer: string) => string): unknown => {
  if (Array.isArray(schema)) return schema.map((inner) => rewritten(inner, ref))
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (keyword === "$ref" && typeof value === "string") return [keyword, ref(value)]
      if (one.has(keyword) || several.has(keyword)) return [keyword, rewritten(value, ref)]
      if (!named.has(keyword) || typeof value !== "object" || value === null) return [keyword, value]
      return [keyword, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rewritten(inner, ref)]))]
    })
  )
}
