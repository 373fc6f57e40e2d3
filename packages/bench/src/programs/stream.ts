/** Streams events, and watches the memory meanwhile. */
import { NodeHookrail } from "@hookrail/node"
import { Effect, Stream } from "effect"
import { Event, HookrailClient } from "hookrail"
import { url } from "../contend.js"
import { clientOptions } from "../contendWithEffect.js"
import { payload, topic } from "../payload.js"
import type { Batch, MemorySample, StreamCost } from "../protocol.js"
import { costOf, serve } from "../protocol.js"

const samplesPerRun = 10
/** How often the memory is looked at, in events. */
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
  const events = Stream.range(1, requests).pipe(Stream.map(() => Event.make(topic, payload)))
  const program = HookrailClient.sendEvents(events, { concurrency }).pipe(
    Stream.runForEach(() => Effect.sync(onAccepted)),
    Effect.provide(NodeHookrail.layer(clientOptions))
  )
  const cost = await costOf(() => Effect.runPromise(program))
  return { ...cost, samples }
}

await serve(`streaming to ${url}`, stream)
