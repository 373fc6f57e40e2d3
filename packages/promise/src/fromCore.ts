/** Turns errors of the core into those of the facade, which have milliseconds where the core has durations. */
import * as Duration from "effect/Duration"
import * as Core from "hookrail/HookrailError"
import { classes, type ErrorClass, type HookrailError } from "./errors.js"

/** What is no error of the core stays as it is. */
export const fromCore = (error: unknown, types: Readonly<Record<string, ErrorClass>> = classes): unknown => {
  if (!(error instanceof Error) || !("_tag" in error) || !Object.hasOwn(types, error._tag as string)) return error
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(error)) {
    if (name === "_tag" || name === "cause" || value === undefined) continue
    if (Duration.isDuration(value)) fields[`${name}Ms`] = Duration.toMillis(value)
    else fields[name] = value
  }
  const tag = error._tag as string
  return new types[tag]!(tag, error.message, fields, fromCore(error.cause, types))
}

export const heldError = (topic: string, idempotencyKey: string | undefined, orderingKey: string): HookrailError =>
  fromCore(new Core.OrderingKeyHeldError({ topic, idempotencyKey, outcome: "not-sent", orderingKey })) as HookrailError
