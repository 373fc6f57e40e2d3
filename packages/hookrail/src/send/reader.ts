/** Makes the calls that read the status of events. */
import type { Clock } from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Address } from "../call/advice.js"
import type { CallError, CallObserver, Calls } from "../call/calls.js"
import type { Pause } from "../call/pauses.js"
import type { HookrailConfig } from "../HookrailConfig.js"
import type { AwaitError, ReadContext, ReadError } from "../HookrailError.js"
import { AwaitTimeoutError, InvalidArgumentError } from "../HookrailError.js"
import { toMillis } from "../options/duration.js"
import * as Arguments from "../wire/arguments.js"
import { isTerminal } from "../wire/deliveryState.js"
import { addHeaders } from "../wire/headers.js"
import type { Argument, EventStatus } from "../wire/model.js"
import type { AwaitOptions, ReadOptions } from "./model.js"
import { ReadOperation } from "./operations.js"

export class Reader {
  private readonly headers: Readonly<Record<string, string>>

  constructor(
    config: HookrailConfig,
    private readonly calls: Calls,
    authorization: string,
    private readonly path: string,
    private readonly address: Address
  ) {
    this.headers = {
      authorization,
      "user-agent": config.userAgent,
      accept: "application/json",
      "accept-encoding": "identity"
    }
  }

  /** The call that reads a status, or its error. */
  prepare(
    clock: Clock,
    eventId: string,
    options: ReadOptions,
    observer?: CallObserver
  ): Effect.Effect<EventStatus, CallError> {
    const reason = Arguments.checkEventId(eventId)
    if (reason !== undefined) return Effect.fail(invalidArgument(eventId, "eventId", reason))
    let { headers } = this
    if (options.headers !== undefined) {
      const own = { ...headers }
      const reason = addHeaders(own, options.headers)
      if (reason !== undefined) return Effect.fail(invalidArgument(eventId, "headers", reason))
      headers = own
    }
    const path = `${this.path}/${encodeURIComponent(eventId)}`
    return this.calls.prepare(
      clock,
      new ReadOperation(eventId, this.address),
      "GET",
      path,
      headers,
      undefined,
      options,
      observer
    )
  }
}

const mustBeFinite = "must be a finite duration, such as \"20 seconds\" (a number alone is milliseconds)"

/** Interrupts an effect that takes longer than these milliseconds, and fails instead. */
export type Limited = <A, E>(effect: Effect.Effect<A, E>, millis: number, onTimeout: () => E) => Effect.Effect<A, E>

/** Polls a status until the condition holds, the time is up, or there are no more pauses. */
export const awaitEvent = (
  getEvent: (eventId: string, options: ReadOptions) => Effect.Effect<EventStatus, ReadError>,
  eventId: string,
  options: Omit<AwaitOptions, "schedule">,
  limited: Limited,
  pauses: Effect.Effect<Pause<EventStatus>> = growing
): Effect.Effect<EventStatus, AwaitError> =>
  Effect.suspend(() => {
    const until: (status: EventStatus) => unknown = options.until ?? isSettled
    if (typeof until !== "function") return Effect.fail(invalidArgument(eventId, "until", "must be a function"))
    const limit = toMillis(options.timeout ?? 60_000)
    if (limit === undefined) return Effect.fail(invalidArgument(eventId, "timeout", mustBeFinite))
    let last: EventStatus | undefined
    const timedOut = () =>
      new AwaitTimeoutError({
        eventId,
        limit: Duration.millis(limit),
        states: (last?.deliveries ?? []).map((delivery) => delivery.state)
      })
    const read = getEvent(eventId, { retry: options.retry, headers: options.headers })
    const settled = Effect.flatMap(pauses, (pause) => {
      const look: Effect.Effect<EventStatus, AwaitError> = Effect.flatMap(read, (status) => {
        last = status
        const isOver = until(status)
        // A promise, or an effect, would count as true.
        if (typeof isOver !== "boolean") {
          return Effect.fail(invalidArgument(eventId, "until", "must return true or false at once"))
        }
        return isOver
          ? Effect.succeed(status)
          : Effect.matchEffect(pause(status), { onFailure: () => Effect.fail(timedOut()), onSuccess: () => look })
      })
      return look
    })
    return limited(settled, limit, timedOut)
  })

/** Each pause is twice as long as the one before, up to 5 seconds. */
const growing: Effect.Effect<Pause<EventStatus>> = Effect.sync(() => {
  let millis = 125
  return () => {
    millis = Math.min(2 * millis, 5_000)
    return Effect.sleep(millis)
  }
})

const isSettled = (status: EventStatus): boolean => status.deliveries.every((delivery) => isTerminal(delivery.state))

/** Untyped callers may pass anything as an event id. */
export const invalidArgument = (eventId: string, argument: Argument, reason: string) =>
  new InvalidArgumentError({ eventId: String(eventId), argument, reason }) as InvalidArgumentError & ReadContext
