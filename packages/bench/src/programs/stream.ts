/** Streams events with one of the clients, and samples its memory. */
import { NodeHookrail } from "@hookrail/node"
import { Hookrail } from "@hookrail/promise"
import { Effect, Stream } from "effect"
import { Event, HookrailClient } from "hookrail"
import { clientOptions } from "../contendWithEffect.js"
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

function* eventsOf(count: number) {
  for (let i = 0; i < count; i++) yield { topic, payload }
}

const withPromises: Run = async (events, concurrency, onAccepted) => {
  await using client = new Hookrail({ apiKey, baseUrl: url })
  for await (const _ of client.sendEvents(eventsOf(events), { concurrency })) onAccepted()
}

const run = contender === "promise" ? withPromises : withEffect

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
