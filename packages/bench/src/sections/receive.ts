/** What a webhook costs with each receiver, in CPU time of its process, relative to a bare server in the same round. */
import { nodeProgram, start } from "../children.js"
import type { Cost, Deliveries, Received } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

const reference = "bare node:http, createHmac, JSON.parse"

const contenders: Readonly<Record<string, string>> = {
  [reference]: "bare",
  "bare node:http, svix verify": "svix",
  "@hookrail/promise": "hookrail-promise",
  "hookrail@3 NodeWebhooks": "hookrail-node",
  "hookrail@4 NodeWebhooks": "hookrail-node-4",
  "hookrail@3 NodeWebhooks, traced": "hookrail-node-traced",
  "hookrail@4 NodeWebhooks, traced": "hookrail-node-4-traced"
}

export interface ReceiveRow {
  readonly contender: string
  readonly cpuMicros: Summary
  readonly ratio: Summary
}

const concurrency = 32

export const receive = async (
  quick: boolean,
  progress: (text: string) => void
): Promise<ReadonlyArray<ReceiveRow>> => {
  const [rounds, requests, warmUpRequests] = quick ? [5, 3_000, 10_000] : [11, 6_000, 30_000]
  const sender = await start<Deliveries, Cost>("server", nodeProgram("programs/deliver.ts"))
  const receivers = []
  for (const [name, module] of Object.entries(contenders)) {
    const child = await start<null, Received>("contender", nodeProgram(`receivers/${module}.ts`))
    const { url } = child.hello as { readonly url: string }
    const scheme = module === "svix" ? "svix" : "hookrail"
    const take = async (requests: number): Promise<number> => {
      await child.ask(null)
      await sender.ask({ url, scheme, requests, concurrency })
      return (await child.ask(null)).cpuMicros / requests
    }
    receivers.push({ name, take, stop: child.stop, micros: [] as Array<number> })
  }
  for (const { name, take } of receivers) {
    progress(`warming up ${name}`)
    await take(warmUpRequests)
  }
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`)
    for (const { micros, take } of receivers) {
      // As in "send": to get back to work after the others had their turn is not what is measured.
      await take(requests >> 2)
      micros.push(await take(requests))
    }
  }
  for (const { stop } of receivers) await stop()
  await sender.stop()
  const bare = receivers[0]!.micros
  return receivers.map(({ micros, name }) => ({
    contender: name,
    cpuMicros: summarize(micros),
    ratio: summarize(ratios(micros, bare))
  }))
}
