/** Streams events with one of the clients, and samples its memory. */
import { NodeHookrail } from "@hookrail/node"
import * as Node4 from "@hookrail/node-4"
import { Hookrail } from "@hookrail/promise"
import { Effect, Stream } from "effect"
import * as Effect4 from "effect-4"
import { Event, HookrailClient } from "hookrail"
import * as Hookrail4 from "hookrail-4"
import { clientOptions } from "../contendWithEffect.js"
import { clientOptions as clientOptions4 } from "../contendWithEffect4.js"
import { apiKey, payload, topic } from "../payload.js"
import type { Batch, MemorySample, StreamCost } from "../protocol.js"
import { costOf, serve } from "../protocol.js"

const [, , url, contender] = process.argv

type Run = (events: number, concurrency: number, onAccepted: () => void) => Promise<void>

const withEffect: Run = (events, concurrency, onAccepted) =>
  HookrailClient.sendEvents(
    Stream.map(Stream.range(1, events), () => Event.make(topic, payload)),
    { concurrency }
  ).pipe(
    Stream.runForEach(() => Effect.sync(onAccepted)),
    Effect.provide(NodeHookrail.layer(clientOptions)),
    Effect.runPromise
  )

const withEffect4: Run = (events, concurrency, onAccepted) =>
  Hookrail4.HookrailClient.sendEvents(
    Effect4.Stream.map(Effect4.Stream.range(1, events), () => Hookrail4.Event.make(topic, payload)),
    { concurrency }
  ).pipe(
    Effect4.Stream.runForEach(() => Effect4.Effect.sync(onAccepted)),
    Effect4.Effect.provide(Node4.NodeHookrail.layer(clientOptions4)),
    Effect4.Effect.runPromise
  )

function* eventsOf(count: number) {
  for (let i = 0; i < count; i++) yield { topic, payload }
}

const withPromises: Run = async (events, concurrency, onAccepted) => {
  await using client = new Hookrail({ apiKey, baseUrl: url })
  for await (const _ of client.sendEvents(eventsOf(events), { concurrency })) onAccepted()
}

const run = contender === "promise" ? withPromises : contender === "effect4" ? withEffect4 : withEffect

const samplesPerRun = 10
/** How often the memory is sampled, in events. */
const lookEvery = 500

const stream = async ({ concurrency, requests }: Batch): Promise<StreamCost> => {
  const samples: Array<MemorySample> = []
  let accepted = 0
  let lowest = Infinity
  const onAccepted = (): void => {
    accepted++
    if (accepted % lookEvery === 0) lowest = Math.min(lowest, process.memoryUsage().heapUsed)
    if (accepted % Math.floor(requests / samplesPerRun) === 0) {
      samples.push({ events: accepted, heapUsedBytes: lowest, rssBytes: process.memoryUsage.rss() })
      lowest = Infinity
    }
  }
  const cost = await costOf(() => run(requests, concurrency, onAccepted))
  return { ...cost, samples }
}

await serve(`streaming to ${url}`, stream)
