/**
 * Checks payloads by their definition, on both ends. What is sent is the input of the schema as JSON: the sender lets the
 * schema read exactly what the receiver's schema will read. Neither end ever sends the output: a transform would be applied
 * twice.
 */
import { jsonText, step } from "../wire/payload.js"
import { shorten } from "../wire/shorten.js"
import type { EventDefinition, StandardIssue, StandardResult, StandardSchema, Verdict } from "./model.js"

/** A payload that fits, as it goes on. */
export class Fits {
  constructor(readonly value: unknown) {}
}

/** Why a payload does not fit, without its values. */
export class Misfit {
  constructor(readonly path: string, readonly reason: string) {}
}

/** What a definition calls has answered with something that is no answer. */
class JunkError extends TypeError {
  override readonly name = "JunkError"
}

const isSchema = (definition: EventDefinition): definition is StandardSchema => "~standard" in definition

export const schemaOf = (definition: EventDefinition): StandardSchema =>
  isSchema(definition) ? definition : definition.schema

const isPromise = <A>(value: A | Promise<A>): value is Promise<A> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function"

/** The JSON value to send. Never throws or rejects. */
export const encoded = (definition: EventDefinition, payload: unknown): Verdict | Promise<Verdict> => {
  if (isSchema(definition)) return inputChecked(definition, payload)
  try {
    const input = definition.encode(payload as never)
    return isPromise(input)
      ? Promise.resolve(input).then(
        (input) => inputChecked(definition.schema, input),
        (thrown) => unencoded(thrown, payload)
      )
      : inputChecked(definition.schema, input)
  } catch (thrown) {
    return unencoded(thrown, payload)
  }
}

const inputChecked = (schema: StandardSchema, input: unknown): Verdict | Promise<Verdict> => {
  const text = jsonText(input)
  if (typeof text !== "string") return new Misfit(text.path, text.reason)
  try {
    // A copy of its own for the schema: some validators write defaults into what they read.
    const result = schema["~standard"].validate(JSON.parse(text))
    const verdict = (result: StandardResult<unknown>): Verdict => {
      const issues = issuesOf(result)
      return issues === undefined ? new Fits(JSON.parse(text)) : misfit(issues, JSON.parse(text), input)
    }
    return isPromise(result)
      ? Promise.resolve(result).then(verdict).catch((thrown) => threw("schema", thrown))
      : verdict(result)
  } catch (thrown) {
    return threw("schema", thrown)
  }
}

/** What a handler gets. Throws or rejects if the schema does: that is a defect of the schema and no matter of the payload. */
export const decoded = (definition: EventDefinition, json: unknown): Verdict | Promise<Verdict> => {
  const result = schemaOf(definition)["~standard"].validate(json)
  const verdict = (result: StandardResult<unknown>): Verdict => {
    const issues = issuesOf(result)
    return issues === undefined ? new Fits((result as { readonly value: unknown }).value) : misfit(issues, json)
  }
  return isPromise(result) ? Promise.resolve(result).then(verdict) : verdict(result)
}

/** The issues in the answer of a schema; `undefined` if there are none, so that it has a value. */
const issuesOf = (result: StandardResult<unknown>): ReadonlyArray<StandardIssue> | undefined => {
  if (typeof result === "object" && result !== null) {
    const { issues } = result
    if (Array.isArray(issues)) return issues
    if (issues === undefined && "value" in result) return undefined
  }
  throw new JunkError("a schema must answer { value } or { issues }: is it a Standard Schema?")
}

const threw = (what: "encode" | "schema", thrown: unknown): Misfit => {
  if (thrown instanceof JunkError) return new Misfit("$", thrown.message)
  const kind = thrown instanceof Error ? thrown.name : typeof thrown
  return new Misfit("$", `the ${what} of its topic threw ${kind}: correct that, or what it calls`)
}

/** The error of a library says where the payload does not fit. */
const unencoded = (thrown: unknown, payload: unknown): Misfit => {
  try {
    const { issue, issues } = thrown as { readonly issue?: unknown; readonly issues?: unknown }
    if (Array.isArray(issues) && issues.length > 0) return misfit(issues, payload)
    if (typeof issue === "object" && issue !== null) return misfit([leafOf(issue)], payload)
  } catch {
    // It is no error of a library.
  }
  return threw("encode", thrown)
}

/** A node in the errors of Effect's Schema. */
interface Node {
  readonly _tag?: string
  readonly path?: PropertyKey | ReadonlyArray<PropertyKey>
  readonly issue?: Node
  readonly issues?: Node | ReadonlyArray<Node>
}

/** The first issue in an error of Effect's Schema, which both lines have as a tree. */
const leafOf = (tree: object): StandardIssue => {
  const path: Array<PropertyKey> = []
  let node: Node = tree
  let inner: Node | undefined = node
  // A tree of Effect is not that deep: this one may be anybody's.
  for (let depth = 0; inner !== undefined && depth < 1_000; depth++) {
    node = inner
    inner = node.issue ?? [node.issues].flat()[0]
    if (node.path !== undefined) path.push(...[node.path].flat())
  }
  return { message: String(node._tag).startsWith("Missing") ? "is missing" : "", path }
}

const misfit = (issues: ReadonlyArray<StandardIssue>, json: unknown, input?: unknown): Misfit => {
  // Not `path.map`: ArkType's paths are arrays of a class of its own, whose `map` returns other keys.
  const keys = Array.from(issues[0]?.path ?? [], (part) => typeof part === "object" ? part.key : part)
  const path = keys.map((key) => typeof key === "number" ? `[${key}]` : step(String(key))).join("")
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ""
  const message = withoutValue(String(issues[0]?.message ?? ""), at(json, keys))
  const hint = at(input, keys) instanceof Date ? dateHint : ""
  return new Misfit(`$${path}`, `${shorten(message === "" ? "it does not fit" : message, 200)}${hint}${more}`)
}

const dateHint = "; JSON has no dates, it was sent as a text: let the schema read a text, and encode with a codec"

const at = (value: unknown, keys: ReadonlyArray<PropertyKey>): unknown => {
  let found = value
  for (const key of keys) found = (found as { readonly [key: PropertyKey]: unknown } | null | undefined)?.[key]
  return found
}

/** How Effect, Valibot and ArkType tell the actual value. Payloads may hold data that must not be logged. */
const told = /(,? actual | but received |: received "| \(was ).*$/is

/** A message without the value that it is about. */
const withoutValue = (message: string, actual: unknown): string => {
  const cut = message.replace(told, "")
  if (typeof actual !== "string" && typeof actual !== "number" && typeof actual !== "bigint") return cut
  const text = String(actual)
  if (text.length < 4) return cut.replaceAll(`"${text}"`, "[...]")
  return cut.replaceAll(text, "[...]")
}
