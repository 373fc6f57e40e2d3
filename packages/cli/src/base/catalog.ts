/** The topics of a user's module, with whatever they were made: `Topic.make`, `Topic.fromEvents`, `defineEvents`, or Standard Schemas by topic. */
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { exitCodes, Failure, usage } from "./exit.js"
import type { Json } from "./payload.js"

interface Issue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

interface StandardSchema {
  readonly "~standard": {
    readonly validate: (value: unknown) => unknown
    readonly jsonSchema?: { readonly input?: (options: object) => unknown }
  }
}

/** One topic of the module. */
interface Entry {
  readonly schema: unknown
  readonly examples: ReadonlyArray<unknown>
}

const isObject = (value: unknown): value is Record<PropertyKey, unknown> =>
  (typeof value === "object" && value !== null) || typeof value === "function"

const isStandard = (value: unknown): value is StandardSchema =>
  isObject(value) && isObject(value["~standard"]) && typeof value["~standard"].validate === "function"

/** A Schema of Effect, of either line. */
const isEffectSchema = (value: unknown): value is { readonly ast: unknown } => isObject(value) && isObject(value.ast)

const topicId = "~hookrail/Topic"

/** What `defineEvents` of `@hookrail/promise/events` returns. */
const catalogueId = "~hookrail/EventCatalogue"

const entryOf = (value: unknown): Entry | undefined => {
  if (!isObject(value)) return undefined
  const examples = [value.example, ...(Array.isArray(value.examples) ? value.examples : [])].filter((one) =>
    one !== undefined
  )
  if (isStandard(value) || isEffectSchema(value)) return { schema: value, examples: [] }
  if (isStandard(value.schema) || isEffectSchema(value.schema)) return { schema: value.schema, examples }
  // A topic of `Topic.fromEvents` keeps its definition.
  return isObject(value.definition) && topicId in value ? entryOf(value.definition) : undefined
}

/** All topics among the exports: topics, lists and records of them, and records of schemas by topic. */
const collect = (value: unknown, found: Map<string, Entry>, depth = 0): void => {
  if (!isObject(value) || depth > 3) return
  if (topicId in value && typeof value.name === "string") {
    const entry = entryOf(value)
    if (entry !== undefined) found.set(value.name, entry)
    return
  }
  if (isStandard(value) || isEffectSchema(value)) return
  const catalogue = value[catalogueId]
  if (isObject(catalogue) && catalogue.definitions instanceof Map) {
    for (const [name, definition] of catalogue.definitions as ReadonlyMap<string, unknown>) {
      const entry = entryOf(definition)
      if (entry !== undefined) found.set(name, entry)
    }
    return
  }
  for (const [name, item] of Object.entries(value)) {
    const entry = isObject(item) && topicId in item ? undefined : entryOf(item)
    if (entry !== undefined && /[.*]|^[a-z]/.test(name)) found.set(name, entry)
    else collect(item, found, depth + 1)
  }
}

interface EffectSchema {
  /** Effect 3. */
  readonly standardSchemaV1?: (schema: unknown) => StandardSchema
  /** Effect 4. */
  readonly toStandardSchemaV1?: (schema: unknown) => StandardSchema
  readonly encodedSchema?: (schema: unknown) => unknown
  readonly toEncoded?: (schema: unknown) => unknown
}

export class Catalog {
  private constructor(
    private readonly path: string,
    private readonly topics: ReadonlyMap<string, Entry>
  ) {}

  static async load(path: string): Promise<Catalog> {
    const file = resolve(path)
    let module: unknown
    try {
      module = await import(pathToFileURL(file).href)
    } catch (error) {
      const hint = Object(error).code === "ERR_UNKNOWN_FILE_EXTENSION" || /\.[cm]?tsx?$/.test(file)
        ? "Node 22.18 and newer run TypeScript; with an older one, give the compiled module"
        : "check the path and its imports"
      throw new Failure(
        exitCodes.usage,
        `cannot load ${path}: ${String((error as { readonly message?: unknown } | null)?.message ?? error)}: ${hint}`
      )
    }
    const found = new Map<string, Entry>()
    collect(module, found)
    if (found.size === 0) {
      throw usage(`${path} exports no topics: export those of Topic.make or Topic.fromEvents, or schemas by topic`)
    }
    return new Catalog(file, found)
  }

  get names(): ReadonlyArray<string> {
    return [...this.topics.keys()].sort()
  }

  private entry(topic: string): Entry {
    const entry = this.topics.get(topic)
    if (entry !== undefined) return entry
    throw usage(`${this.path} has no topic ${JSON.stringify(topic)}: it has ${this.names.join(", ")}`)
  }

  /** An example of the payload, as JSON; an empty object if the module has none and none can be made. */
  async example(topic: string): Promise<Json> {
    const { examples, schema } = this.entry(topic)
    if (examples[0] !== undefined) return JSON.parse(JSON.stringify(examples[0])) as Json
    const described = await this.jsonSchemaOf(schema)
    return described === undefined ? {} : exampleOf(described, described, 0)
  }

  /** Checks a payload as its receivers will; says where it is wrong, without the values. */
  async check(topic: string, payload: Json): Promise<void> {
    const issue = await this.issueOf(this.entry(topic).schema, payload)
    if (issue === undefined) return
    throw new Failure(
      exitCodes.usage,
      `the payload does not match the schema of ${topic}, ${issue}: change it with --set or --from; nothing was sent`,
      { topic, outcome: "not-sent" }
    )
  }

  private async issueOf(schema: unknown, payload: Json): Promise<string | undefined> {
    if (isStandard(schema)) return firstIssue(await schema["~standard"].validate(payload))
    if (isEffectSchema(schema)) {
      const effect = await this.effectSchema()
      const standard = (effect.standardSchemaV1 ?? effect.toStandardSchemaV1)?.(schema)
      if (standard === undefined) {
        throw usage(`the Schema in ${this.path} is of no Effect that is known: use 3.22 or 4.1`)
      }
      return firstIssue(await standard["~standard"].validate(payload))
    }
    return undefined
  }

  /** The user's own Effect: a Schema is of no use to another one. */
  private effectSchema(): Promise<EffectSchema> {
    return this.userModule("effect/Schema") as Promise<EffectSchema>
  }

  private async userModule(name: string): Promise<unknown> {
    const { resolve } = createRequire(this.path)
    // Of a package for ESM only, `require` finds nothing; its folder is found all the same.
    const from = await import("./userModules.js")
    return from.importFrom(this.path, name, resolve)
  }

  private async jsonSchemaOf(schema: unknown): Promise<JsonSchema | undefined> {
    try {
      if (isStandard(schema)) {
        const made = schema["~standard"].jsonSchema?.input?.({ target: "draft-2020-12" })
        if (isObject(made)) return made as JsonSchema
        const own = (schema as { readonly toJsonSchema?: () => unknown }).toJsonSchema?.()
        if (isObject(own)) return own as JsonSchema
      }
      if (!isEffectSchema(schema)) return undefined
      const { toJsonSchemaDocument } = await this.effectSchema() as {
        readonly toJsonSchemaDocument?: (schema: unknown) => { readonly schema: object; readonly definitions?: object }
      }
      if (toJsonSchemaDocument !== undefined) {
        const document = toJsonSchemaDocument(schema)
        return { ...document.schema, $defs: document.definitions } as JsonSchema
      }
      const { make } = await this.userModule("effect/JSONSchema") as { readonly make: (schema: unknown) => unknown }
      return make(schema) as JsonSchema
    } catch {
      // Not every schema has one: the user then gives the payload.
      return undefined
    }
  }
}

const firstIssue = (result: unknown): string | undefined => {
  const issue = (result as { readonly issues?: ReadonlyArray<Issue> }).issues?.[0]
  if (issue === undefined) return undefined
  const path = (issue.path ?? [])
    .map((step) => typeof step === "object" ? step.key : step)
    .map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`)
    .join("")
  const end = issue.message.indexOf(", actual ")
  return `at $${path}: ${end < 0 ? issue.message : issue.message.slice(0, end)}`
}

interface JsonSchema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly definitions?: Readonly<Record<string, JsonSchema>>
  readonly examples?: ReadonlyArray<Json>
  readonly default?: Json
  readonly const?: Json
  readonly enum?: ReadonlyArray<Json>
  readonly type?: string | ReadonlyArray<string>
  readonly format?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly items?: JsonSchema | ReadonlyArray<JsonSchema>
  readonly prefixItems?: ReadonlyArray<JsonSchema>
  readonly minItems?: number
  readonly minLength?: number
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly oneOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
}

const formats: Readonly<Record<string, string>> = {
  "date-time": "2026-01-01T00:00:00.000Z",
  date: "2026-01-01",
  email: "someone@example.com",
  uri: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000"
}

/** A small payload that a JSON Schema describes: required members only. It need not be perfect, as it is checked. */
const exampleOf = (schema: JsonSchema, root: JsonSchema, depth: number): Json => {
  if (depth > 20) return null
  const next = (inner: JsonSchema | undefined): Json => exampleOf(inner ?? {}, root, depth + 1)
  if (schema.examples?.[0] !== undefined) return schema.examples[0]
  if (schema.default !== undefined) return schema.default
  if (schema.const !== undefined) return schema.const
  if (schema.enum?.[0] !== undefined) return schema.enum[0]
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1)!.replaceAll("~1", "/").replaceAll("~0", "~")
    return next((root.$defs ?? root.definitions)?.[name])
  }
  const choice = schema.anyOf?.[0] ?? schema.oneOf?.[0]
  if (choice !== undefined) return next(choice)
  if (schema.type === undefined && schema.allOf !== undefined) {
    return next(schema.allOf.reduce((all, one) => ({ ...all, ...one }), {}))
  }
  const type = typeof schema.type === "string" ? schema.type : schema.type?.[0]
  const bounds = Object.assign({}, ...(schema.allOf ?? [])) as JsonSchema
  const { exclusiveMinimum, minimum, minLength = 0 } = { ...bounds, ...schema }
  switch (type) {
    case "object":
      return Object.fromEntries((schema.required ?? []).map((name) => [name, next(schema.properties?.[name])]))
    case "array": {
      const first = schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items as ReadonlyArray<JsonSchema> : [])
      if (first.length > 0) return first.map(next)
      const count = Math.min(schema.minItems ?? 0, 100)
      return Array.from({ length: count }, () => next(schema.items as JsonSchema | undefined))
    }
    case "integer":
    case "number":
      return minimum ?? (exclusiveMinimum === undefined ? 1 : exclusiveMinimum + 1)
    case "boolean":
      return true
    case "string":
      return formats[schema.format ?? ""] ?? "example".padEnd(Math.min(minLength, 1000), "x")
    default:
      return null
  }
}
