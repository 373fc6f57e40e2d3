/** Checks of the options of calls, without Effect. */
import type { Argument } from "../wire/model.js"
import { Fault, flag, oneOf, readOptions, unknownName, wholeNumber, withDefault } from "./check.js"

/**
 * Why the options of a call are invalid: one of them does not exist. It runs once per call, over one or two names. An event of
 * `sendEvents` may carry extra members, such as the row it was made from.
 */
export const callOptionsFault = (options: object): string | undefined =>
  optionsFault(options) ?? ("topic" in options ? eventFault(options) : nameFault(options, callOptions))

/** Why these are no options at all. */
export const optionsFault = (options: unknown): string | undefined =>
  typeof options === "object" && options !== null
    ? undefined
    : "must be an object, such as { timeout: 5000 }"

/**
 * What is wrong with an event of `sendEvents` that looks as if it were none. Extra members are fine, but not a key under another
 * spelling, as in `idempotency_key`: the event would be sent without it.
 */
export const eventFault = (event: object): string | undefined => {
  if (typeof (event as { readonly then?: unknown }).then === "function") {
    return "an event is a Promise: await it first"
  }
  for (const name in event) {
    const key = name.length < 11 ? undefined : keyNamed(name)
    if (key !== undefined && (event as Readonly<Record<string, unknown>>)[key] === undefined) {
      return `${name}: an event has no such member: did you mean ${key}?`
    }
  }
  return undefined
}

const keyNamed = (name: string): string | undefined => {
  if (name === "idempotencyKey" || name === "orderingKey") return undefined
  const letters = name.toLowerCase().replace(/[^a-z]/g, "")
  return letters === "idempotencykey" ? "idempotencyKey" : letters === "orderingkey" ? "orderingKey" : undefined
}

/** The same for `awaitEvent`. The facade passes additional names in `own`. */
export const awaitOptionsFault = (options: object, ...own: ReadonlyArray<string>): string | undefined =>
  nameFault(options, ["timeout", "until", "retry", "headers", ...own])

/** The same for a call of the admin API. */
export const adminOptionsFault = (options: object, own: ReadonlyArray<string> = []): string | undefined =>
  nameFault(options, ["timeout", "retry", "headers", ...own])

const nameFault = (options: object, names: ReadonlyArray<string>): string | undefined => {
  for (const name in options) {
    if (!names.includes(name)) return `${name}: ${unknownName(name, names)}`
  }
  return undefined
}

/** `signal` is the facade's, `onInterrupt` the core's. */
const callOptions: ReadonlyArray<string> = [
  "idempotencyKey",
  "orderingKey",
  "headers",
  "traceparent",
  "timeout",
  "retry",
  "onInterrupt",
  "signal"
]

/** What is wrong with an argument of a call. */
export interface ArgumentFault {
  readonly argument: Argument
  readonly reason: string
}

/** What is wrong with the options of `sendEvents`. */
export const sendEventsFault = (options: object): ArgumentFault | undefined => {
  const { signal: _, ...given } = options as { readonly signal?: unknown }
  const read = readOptions(given, sendEventsChecks)
  if (!(read instanceof Fault)) return undefined
  const { option, reason } = read
  return option === "concurrency" || option === "onError"
    ? { argument: option, reason }
    : { argument: "options", reason: `${option}: ${reason}` }
}

/** What is wrong with the events of a stream that is none: the facade takes lists. */
export const streamFault = (events: unknown): ArgumentFault | undefined =>
  typeof (Object(events) as { readonly pipe?: unknown }).pipe === "function"
    ? undefined
    : { argument: "options", reason: "events: must be a Stream: Stream.fromIterable makes one of a list" }

const sendEventsChecks = {
  concurrency: withDefault(wholeNumber(), 16),
  onError: withDefault(oneOf("fail", "collect"), "fail"),
  holdKeys: withDefault(flag, true)
}
