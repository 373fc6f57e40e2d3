import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { EventAccepted, EventInput } from "../Event.js"
import type { HookrailClient, SendEventsOptions, SendResult } from "../HookrailClient.js"
import type { SendError } from "../HookrailError.js"

/** Sends that share an ordering key, one after the other; others are not held up. */
const serialByKey = () => {
  const keys = new Map<string, { readonly semaphore: Effect.Semaphore; users: number }>()
  return <A, E>(key: string | undefined, send: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    if (key === undefined) return send
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        const entry = keys.get(key) ?? { semaphore: Effect.unsafeMakeSemaphore(1), users: 0 }
        keys.set(key, entry)
        entry.users++
        return entry
      }),
      (entry) => entry.semaphore.withPermits(1)(send),
      (entry) =>
        Effect.sync(() => {
          if (--entry.users === 0) keys.delete(key)
        })
    )
  }
}

/** See `HookrailClient.sendEvents`. */
export const sendEvents = <E, R>(
  client: HookrailClient.Service,
  events: Stream.Stream<EventInput, E, R>,
  options: SendEventsOptions<"fail" | "collect"> = {}
): Stream.Stream<EventAccepted | SendResult, E | SendError, R> =>
  Stream.suspend((): Stream.Stream<EventAccepted | SendResult, E | SendError, R> => {
    const inOrder = serialByKey()
    const sendOne = (input: EventInput): Effect.Effect<EventAccepted, SendError> => {
      const { payload, topic, ...sendOptions } = input
      return inOrder(input.orderingKey, client.sendEvent(topic as string, payload as {}, sendOptions))
    }
    const collectOne = (input: EventInput): Effect.Effect<SendResult> =>
      Effect.match(sendOne(input), {
        onFailure: (error): SendResult => ({ _tag: "Failed", input, error }),
        onSuccess: (accepted): SendResult => ({ _tag: "Accepted", input, accepted })
      })
    const concurrency = Math.max(1, Math.floor(options.concurrency ?? 16) || 1)
    return options.onError === "collect"
      ? Stream.mapEffect(events, collectOne, { concurrency })
      : Stream.mapEffect(events, sendOne, { concurrency })
  })
