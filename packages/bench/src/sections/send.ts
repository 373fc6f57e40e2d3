/** What a request costs with each client, in CPU time, relative to undici's `Pool.request` in the same round. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Child, Command } from "../children.js"
import { nodeProgram, start } from "../children.js"
import { apiKey, payload, topic } from "../payload.js"
import type { Batch, Cost, StubCount, StubReady } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

const reference = "undici Pool.request"

const contenders: Readonly<Record<string, string>> = {
  [reference]: "undici-request",
  "undici Pool.dispatch": "undici-dispatch",
  "node:net, by hand": "net",
  "global fetch": "fetch",
  axios: "axios",
  stripe: "stripe",
  svix: "svix",
  "hookrail@3 NodeTransport": "hookrail-node",
  "hookrail@4 NodeTransport": "hookrail-node-4",
  "hookrail@3 NodeTransport, traced": "hookrail-node-traced",
  "hookrail@4 NodeTransport, traced": "hookrail-node-4-traced",
  "platform HttpClient (undici)": "platform-undici",
  "platform HttpClient (fetch)": "platform-fetch",
  "hookrail@3 layerHttpClient (undici)": "hookrail-http-client-undici",
  "hookrail@3 layerHttpClient (fetch)": "hookrail-http-client-fetch",
  "@hookrail/promise": "hookrail-promise"
}

export interface SendRow {
  readonly contender: string
  readonly concurrency: number
  /** CPU time per request. */
  readonly cpuMicros: Summary
  /** CPU time relative to the reference in the same round. */
  readonly ratio: Summary
  readonly requestsPerSecond: Summary
}

export interface SendResult {
  readonly rows: ReadonlyArray<SendRow>
  readonly notes: ReadonlyArray<string>
}

interface Effort {
  readonly concurrencies: ReadonlyArray<number>
  readonly warmUpRequests: number
  readonly rounds: number
  /** The intended CPU time of a batch. */
  readonly batchMicros: number
}

const full: Effort = { concurrencies: [1, 16, 64, 256], warmUpRequests: 12_000, rounds: 9, batchMicros: 200_000 }
const brief: Effort = { concurrencies: [1, 64], warmUpRequests: 6_000, rounds: 5, batchMicros: 100_000 }

interface Contender {
  readonly name: string
  readonly warmUpRequests: number
  /** Sends a batch, and checks that the server received all of it. */
  readonly send: (batch: Batch) => Promise<Cost>
  readonly stop: () => Promise<void>
}

const python = fileURLToPath(new URL("../../../../node_modules/.cache/hookrail-python", import.meta.url))

/** The official Python client, if the tests of the emulator have installed it. */
const pythonContenders = async (url: string): Promise<Readonly<Record<string, Command>>> => {
  const env = { ...process.env, PYTHONPATH: python, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" }
  try {
    // The interpreter itself: the time of a shim in front of it is not the client's.
    const { stdout } = await promisify(execFile)(
      "python3",
      ["-c", "import hookrail, sys; print(sys.executable)"],
      { env }
    )
    const script = fileURLToPath(new URL("../contenders/hookrail_python.py", import.meta.url))
    const command = (kind: string): Command => ({
      command: stdout.trim(),
      args: [script, kind, url, topic, JSON.stringify(payload), apiKey],
      env
    })
    return { "hookrail (Python, async)": command("async"), "hookrail (Python, threads)": command("sync") }
  } catch {
    return {}
  }
}

const minBodyBytes = Buffer.byteLength(JSON.stringify(payload))

const contender = (
  name: string,
  warmUpRequests: number,
  child: Child<Batch, Cost>,
  stub: Child<null, StubCount>
): Contender => ({
  name,
  warmUpRequests,
  send: async (batch) => {
    const cost = await child.ask(batch)
    const { bodyBytes, requests } = await stub.ask(null)
    if (requests !== batch.requests || bodyBytes < requests * minBodyBytes) {
      throw new Error(`${name} was to send ${batch.requests} requests; ${requests} came, of ${bodyBytes} bytes`)
    }
    return cost
  },
  stop: child.stop
})

/** The rounds at one concurrency. In each, every contender has its turn. */
const measure = async (
  contenders: ReadonlyArray<Contender>,
  concurrency: number,
  { batchMicros, rounds }: Effort
): Promise<Array<SendRow>> => {
  const runs = []
  for (const contender of contenders) {
    // Opens connections, and estimates how many requests make a batch.
    const requests = Math.max(400, concurrency)
    const { cpuMicros } = await contender.send({ concurrency, requests })
    const perBatch = Math.ceil(batchMicros / (cpuMicros / requests))
    runs.push({ contender, requests: Math.max(perBatch, 2 * concurrency), costs: [] as Array<Cost> })
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contender, costs, requests } of runs) {
      // Uncounted: during the turns of the others its connections may have been closed, and V8 has shrunk its heap.
      await contender.send({ concurrency, requests: Math.max(concurrency, requests >> 1) })
      costs.push(await contender.send({ concurrency, requests }))
    }
  }
  const perRequest = runs.map(({ costs, requests }) => costs.map(({ cpuMicros }) => cpuMicros / requests))
  const referencePerRequest = perRequest[runs.findIndex(({ contender }) => contender.name === reference)]!
  return runs.map(({ contender, costs, requests }, index) => ({
    contender: contender.name,
    concurrency,
    cpuMicros: summarize(perRequest[index]!),
    ratio: summarize(ratios(perRequest[index]!, referencePerRequest)),
    requestsPerSecond: summarize(costs.map(({ wallMicros }) => requests / wallMicros * 1e6))
  }))
}

export const send = async (quick: boolean, progress: (text: string) => void): Promise<SendResult> => {
  const effort = quick ? brief : full
  const stub = await start<null, StubCount>("server", nodeProgram("stub.ts"))
  const { url } = stub.hello as StubReady
  const ofPython = await pythonContenders(url)
  const started: Array<Contender> = []
  const enlist = async (name: string, command: Command, warmUpRequests: number): Promise<void> => {
    started.push(contender(name, warmUpRequests, await start<Batch, Cost>("contender", command), stub))
  }
  for (const [name, module] of Object.entries(contenders)) {
    await enlist(name, nodeProgram(`contenders/${module}.ts`, [url]), effort.warmUpRequests)
  }
  // Python has no JIT compiler to warm up.
  for (const [name, command] of Object.entries(ofPython)) await enlist(name, command, 500)
  for (const contender of started) {
    progress(`warming up ${contender.name}`)
    await contender.send({ requests: contender.warmUpRequests, concurrency: 64 })
  }
  const rows: Array<SendRow> = []
  for (const concurrency of effort.concurrencies) {
    progress(`concurrency ${concurrency}`)
    rows.push(...await measure(started, concurrency, effort))
  }
  for (const contender of started) await contender.stop()
  await stub.stop()
  return {
    rows,
    notes: Object.keys(ofPython).length > 0
      ? []
      : ["No Python contenders: the official client is not installed (the emulator's tests install it)."]
  }
}
