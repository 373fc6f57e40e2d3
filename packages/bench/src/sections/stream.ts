/** Whether speed and memory stay constant over a long stream of events. */
import { nodeProgram, start } from "../children.js"
import type { Batch, MemorySample, StreamCost, StubCount, StubReady } from "../protocol.js"

export interface StreamResult {
  readonly contender: string
  readonly events: number
  readonly concurrency: number
  readonly eventsPerSecond: number
  readonly cpuMicrosPerEvent: number
  readonly samples: ReadonlyArray<MemorySample>
}

const contenders = {
  effect: "hookrail@3 sendEvents",
  effect4: "hookrail@4 sendEvents",
  promise: "@hookrail/promise, sendEvents"
}

const concurrency = 64
const warmUpEvents = 12_000

export const stream = async (
  events: number,
  progress: (text: string) => void
): Promise<ReadonlyArray<StreamResult>> => {
  const stub = await start<null, StubCount>("server", nodeProgram("stub.ts"))
  const { url } = stub.hello as StubReady
  const results: Array<StreamResult> = []
  for (const [argument, contender] of Object.entries(contenders)) {
    const child = await start<Batch, StreamCost>("contender", nodeProgram("programs/stream.ts", [url, argument]))
    await child.ask({ requests: warmUpEvents, concurrency })
    await stub.ask(null)
    progress(`${contender}, ${events} events`)
    const { cpuMicros, samples, wallMicros } = await child.ask({ requests: events, concurrency })
    const { requests } = await stub.ask(null)
    if (requests !== events) {
      throw new Error(`${contender}: ${events} events were to be sent; ${requests} requests came`)
    }
    await child.stop()
    results.push({
      contender,
      events,
      concurrency,
      eventsPerSecond: events / wallMicros * 1e6,
      cpuMicrosPerEvent: cpuMicros / events,
      samples
    })
  }
  await stub.stop()
  return results
}
