/**
 * Checks payloads by their definition, on both ends. What is sent is the input of the schema as JSON: the sender lets the
 * schema read exactly what the receiver's schema will read. Neither end ever sends the output: a transform would be applied
 * twice.
 */
import { jsonText, step } from "../wire/payload.js"
import { shorten } from "../wire/shorten.js"
import type { EventDefinition, StandardIssue, StandardResult, StandardSchema } from "./model.js"

/** A payload that fits, as it goes on. */
export class Fits {
  constructor(readonly value: unknown) {}
}

/** Why a payload does not fit, without its values. */
export class Misfit {
  constructor(readonly path: string, readonly reason: string) {}
}

export type Verdict = Fits | Misfit

export const schemaOf = (definition: EventDefinition): StandardSchema =>
  "~standard" in definition ? definition : definition.schema

/** What a sender's payload is as the input of the schema. Throws what `encode` throws. */
export const inputOf = (definition: EventDefinition, payload: unknown): unknown =>
  "~standard" in definition ? payload : definition.encode(payload as never)

const isPromise = <A>(value: A | Promise<A>): value is Promise<A> =>
  typeof (value as { readonly then?: unknown } | undefined)?.then === "function"

/** The JSON value to send. Never throws or rejects. */
export const encoded = (definition: EventDefinition, payload: unknown): Verdict | Promise<Verdict> => {
  let input: unknown
  try {
    input = inputOf(definition, payload)
  } catch (thrown) {
    const issues = (thrown as { readonly issues?: unknown } | undefined)?.issues
    return Array.isArray(issues) && issues.length > 0 ? misfit(issues, payload) : threw("encode", thrown)
  }
  const text = jsonText(input)
  if (typeof text !== "string") return new Misfit(text.path, text.reason)
  try {
    // A copy of its own for the schema: some validators write defaults into what they read.
    const json: unknown = JSON.parse(text)
    const result = schemaOf(definition)["~standard"].validate(json)
    const verdict = (result: StandardResult<unknown>): Verdict =>
      result.issues === undefined ? new Fits(JSON.parse(text)) : misfit(result.issues, JSON.parse(text))
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
  const verdict = (result: StandardResult<unknown>): Verdict =>
    result.issues === undefined ? new Fits(result.value) : misfit(result.issues, json)
  return isPromise(result) ? Promise.resolve(result).then(verdict) : verdict(result)
}

const threw = (what: "encode" | "schema", thrown: unknown): Misfit => {
  const kind = thrown instanceof Error ? thrown.name : typeof thrown
  return new Misfit("$", `the ${what} of its topic threw ${kind}: correct that, or what it calls`)
}

const misfit = (issues: ReadonlyArray<StandardIssue>, payload: unknown): Misfit => {
  const keys = (issues[0]?.path ?? []).map((part) => typeof part === "object" ? part.key : part)
  const path = keys.map((key) => typeof key === "number" ? `[${key}]` : step(String(key))).join("")
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ""
  let actual: unknown = payload
  for (const key of keys) actual = (actual as { readonly [key: PropertyKey]: unknown } | null | undefined)?.[key]
  const message = withoutValue(String(issues[0]?.message ?? ""), actual)
  return new Misfit(`$${path}`, `${shorten(message === "" ? "it does not fit" : message, 200)}${more}`)
}

/** How Effect, Valibot and ArkType tell the actual value. Payloads may hold data that must not be logged. */
const told = /(,? actual | but received | \(was ).*$/s

/** A message without the value that it is about. */
const withoutValue = (message: string, actual: unknown): string => {
  const cut = message.replace(told, "")
  if (typeof actual !== "string" && typeof actual !== "number" && typeof actual !== "bigint") return cut
  const text = String(actual)
  if (text.length < 4) return cut.replaceAll(`"${text}"`, "[...]")
  return cut.replaceAll(text, "[...]")
}
