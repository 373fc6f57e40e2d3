/** A client in a storm: many senders at once, and what came of their events. */
import { NodeHookrail } from "@hookrail/node"
import { Effect, Layer, Logger, Redacted } from "effect"
import { HookrailClient, SendGate } from "hookrail"
import { serve } from "../protocol.js"
import type { StormOrder, StormOutcome } from "./protocol.js"

const storm = async (order: StormOrder): Promise<StormOutcome> => {
  const { eventsPerSender, gate, readAfter, retry, senders, until = Infinity, url } = order
  const began = performance.now()
  const now = () => performance.now() - began
  let accepted = 0
  let lost = 0
  let lastAccepted = 0
  let readMillis: number | null = null
  const tenths: Array<number> = []

  const send = HookrailClient.sendEvent("orders.created", { order_id: "o_1" }).pipe(
    Effect.match({
      onFailure: () => void lost++,
      onSuccess: () => {
        accepted++
        lastAccepted = now()
        const tenth = Math.floor(lastAccepted / 100)
        while (tenths.length <= tenth) tenths.push(0)
        tenths[tenth]!++
      }
    })
  )
  const sender = Effect.iterate(0, {
    while: (sent) => sent < eventsPerSender && now() < until,
    body: (sent) => Effect.as(send, sent + 1)
  })
  const read = Effect.suspend(() => {
    const from = now()
    return Effect.map(HookrailClient.awaitEvent("e1", { timeout: "10 seconds" }), () => {
      readMillis = now() - from
    })
  }).pipe(Effect.delay(readAfter ?? 0), Effect.ignore)

  const client = NodeHookrail.layer({
    apiKey: Redacted.make("hk_storm"),
    baseUrl: url,
    ...(retry === undefined ? {} : { retry: retry as { maxRetries: number; maxElapsed: "5 minutes" } })
  })
  const all = Effect.replicateEffect(sender, senders, { concurrency: "unbounded", discard: true })
  await Effect.all(readAfter === undefined ? [all] : [all, read], { concurrency: "unbounded", discard: true }).pipe(
    Effect.provide(Layer.provideMerge(
      gate === "layerNone" ? Layer.provide(client, SendGate.layerNone) : client,
      Logger.remove(Logger.defaultLogger)
    )),
    Effect.runPromise
  )
  return { accepted, lost, millis: now(), lastAccepted, tenths, readMillis }
}

void serve({}, storm)
