/** Shared by the contenders that are Effect programs. */
import type { Layer } from "effect"
import { Effect, ManagedRuntime, Redacted } from "effect"
import { HookrailClient } from "hookrail"
import { contend, url } from "./contend.js"
import { apiKey, payload, topic } from "./payload.js"

export const clientOptions = { apiKey: Redacted.make(apiKey), baseUrl: url }

/** The sending fibers run within the program, as in a user's program. */
export const contendWithFibers = <E, R>(layer: Layer.Layer<R, unknown>, send: Effect.Effect<void, E, R>) => {
  const runtime = ManagedRuntime.make(layer)
  return contend(({ concurrency, requests }) => {
    let left = requests
    const worker = Effect.whileLoop({ while: () => left-- > 0, body: () => send, step: () => {} })
    return runtime.runPromise(
      Effect.all(Array.from({ length: concurrency }, () => worker), { concurrency: "unbounded", discard: true })
    )
  })
}

const sendEvent = Effect.map(HookrailClient.sendEvent(topic, payload), ({ eventId }) => {
  if (eventId.length !== 26) throw new Error(`unexpected event id ${eventId}`)
})

/** A Hookrail client. */
export const contendWithEffect = (layer: Layer.Layer<HookrailClient.HookrailClient, unknown>): Promise<never> =>
  contendWithFibers(layer, sendEvent)
