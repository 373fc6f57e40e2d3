/** The contenders of the section "parts": sends over a transport in memory. */
import { Effect, Exit, Layer, ManagedRuntime, Redacted } from "effect"
import * as Effect4 from "effect-4"
import { HookrailClient, Transport } from "hookrail"
import * as Hookrail4 from "hookrail-4"
import { bareTracer } from "../bareTracer.js"
import { bareTracer4 } from "../bareTracer4.js"
import { apiKey, payload, topic } from "../payload.js"
import { costOf, say } from "../protocol.js"

const [rounds, sends] = process.argv.slice(2).map(Number) as [number, number]

const atATime = 64
const body = "{\"event_id\":\"01JZ8Q4T6WABCDEFGHJKMNPQRS\",\"delivery_ids\":[\"01JZ8Q4T6WTVWXYZ0123456789\"]}\n"

class Response implements Transport.TransportResponse {
  readonly status = 202
  readonly body = body
  readonly truncated = false
  readonly header = () => undefined
}

/** Answers all requests of a turn of the event loop together, as `NodeTransport` does. */
const inMemory = <Listener>(answer: (listener: Listener) => void) => {
  let waiting: Array<Listener> = []
  const answerAll = (): void => {
    const listeners = waiting
    waiting = []
    for (const listener of listeners) answer(listener)
  }
  return (_: unknown, listener: Listener) => {
    if (waiting.length === 0) setImmediate(answerAll)
    waiting.push(listener)
    return { abort: () => {} }
  }
}

const baseUrl = "http://127.0.0.1:9"

const client3 = HookrailClient.layer({ apiKey: Redacted.make(apiKey), baseUrl }).pipe(
  Layer.provide(Layer.succeed(
    Transport.Transport,
    Transport.fromCallbacks(
      inMemory((listener: Transport.Listener<Transport.TransportResponse, Transport.TransportError>) =>
        listener.resume(Exit.succeed(new Response()))
      )
    )
  ))
)

const client4 = Hookrail4.HookrailClient.layer({ apiKey: Effect4.Redacted.make(apiKey), baseUrl }).pipe(
  Effect4.Layer.provide(Effect4.Layer.succeed(
    Hookrail4.Transport.Transport,
    Hookrail4.Transport.fromCallbacks(
      inMemory((
        listener: Hookrail4.Transport.Listener<
          Hookrail4.Transport.TransportResponse,
          Hookrail4.Transport.TransportError
        >
      ) => listener.resume(Effect4.Exit.succeed(new Response())))
    )
  ))
)

const through3 = (layer: Layer.Layer<HookrailClient.HookrailClient, unknown>) => {
  const runtime = ManagedRuntime.make(layer)
  return {
    repeat: (times: number) => {
      let left = times
      const sender = Effect.whileLoop({
        while: () => left-- > 0,
        body: () => HookrailClient.sendEvent(topic, payload),
        step: () => {}
      })
      return runtime.runPromise(
        Effect.all(Array.from({ length: atATime }, () => sender), { concurrency: "unbounded", discard: true })
      )
    }
  }
}

const through4 = (layer: Effect4.Layer.Layer<Hookrail4.HookrailClient.HookrailClient, unknown>) => {
  const runtime = Effect4.ManagedRuntime.make(layer)
  return {
    repeat: (times: number) => {
      let left = times
      const sender = Effect4.Effect.whileLoop({
        while: () => left-- > 0,
        body: () => Hookrail4.HookrailClient.sendEvent(topic, payload),
        step: () => {}
      })
      return runtime.runPromise(
        Effect4.Effect.all(Array.from({ length: atATime }, () => sender), { concurrency: "unbounded", discard: true })
      )
    }
  }
}

/** What no client can do without: the bytes, a key, and the answer. */
const bytesAndAnswer = (): void => {
  const bytes = Buffer.from(JSON.stringify({ topic, payload }))
  const answer = JSON.parse(body) as { readonly event_id: string }
  if (bytes.length < 1_024 || crypto.randomUUID() === answer.event_id) throw new Error("unexpected bytes")
}

const alone = {
  repeat: (times: number): void => {
    for (let i = 0; i < times; i++) bytesAndAnswer()
  }
}

const operations: Readonly<Record<string, { readonly repeat: (times: number) => unknown }>> = {
  "JSON, UTF-8, UUID": alone,
  "hookrail@3": through3(client3),
  "hookrail@4": through4(client4),
  "hookrail@3, traced": through3(Layer.merge(client3, Layer.setTracer(bareTracer))),
  "hookrail@4, traced": through4(
    Effect4.Layer.merge(client4, Effect4.Layer.succeed(Effect4.Tracer.Tracer, bareTracer4))
  )
}

for (const { repeat } of Object.values(operations)) await repeat(20_000)

const results: Record<string, Array<number>> = {}
for (let round = 0; round < rounds; round++) {
  for (const [name, { repeat }] of Object.entries(operations)) {
    // In one go: starting the fibers must not count.
    const { cpuMicros } = await costOf(() => repeat(sends))
    ;(results[name] ??= []).push(cpuMicros / sends)
  }
}
say(results)
process.exit()
