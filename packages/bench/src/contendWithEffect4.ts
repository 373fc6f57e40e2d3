/** As `contendWithEffect.ts`, for Effect 4. */
import type { Layer } from "effect-4"
import { Effect, ManagedRuntime, Redacted } from "effect-4"
import { HookrailClient } from "hookrail-4"
import { contend, url } from "./contend.js"
import { apiKey, payload, topic } from "./payload.js"

export const clientOptions = { apiKey: Redacted.make(apiKey), baseUrl: url }

const sendEvent = Effect.map(HookrailClient.sendEvent(topic, payload), ({ eventId }) => {
  if (eventId.length !== 26) throw new Error(`unexpected event id ${eventId}`)
})

/** A Hookrail client. The sending fibers run within the program, as in a user's program. */
export const contendWithEffect4 = (layer: Layer.Layer<HookrailClient.HookrailClient, unknown>): Promise<never> => {
  const runtime = ManagedRuntime.make(layer)
  return contend(({ concurrency, requests }) => {
    let left = requests
    const worker = Effect.whileLoop({ while: () => left-- > 0, body: () => sendEvent, step: () => {} })
    return runtime.runPromise(
      Effect.all(Array.from({ length: concurrency }, () => worker), { concurrency: "unbounded", discard: true })
    )
  })
}
