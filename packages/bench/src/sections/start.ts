/**
 * What a new process waits for: to import a client and to send its first event, to a server on this machine. Relative to svix
 * in the same round.
 */
import { fileURLToPath } from "node:url"
import { nodeProgram, runOnce, start as startChild } from "../children.js"
import { headers } from "../contend.js"
import type { Node } from "../nodes.js"
import { nodes } from "../nodes.js"
import { apiKey, payload, topic } from "../payload.js"
import type { StubCount, StubReady } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

/** The clients, as programs that send one event. `url` and `event` are there. */
interface Contender {
  readonly name: string
  readonly program: string
  readonly conditions?: ReadonlyArray<string> | undefined
}

const facade = `
  const { Hookrail } = await import("@hookrail/promise")
  const client = new Hookrail({ apiKey, baseUrl: url })
  const { eventId } = await client.sendEvent(topic, payload)
  if (eventId.length !== 26) throw new Error("no event")`

const withEffect = (node: string, core: string, effect: string) => `
  const { layer } = await import("${node}/NodeHookrail")
  const { sendEvent } = await import("${core}/HookrailClient")
  const Effect = await import("${effect}/Effect")
  const Redacted = await import("${effect}/Redacted")
  const send = Effect.provide(sendEvent(topic, payload), layer({ apiKey: Redacted.make(apiKey), baseUrl: url }))
  if ((await Effect.runPromise(send)).eventId.length !== 26) throw new Error("no event")`

const reference = "svix"

const contenders: ReadonlyArray<Contender> = [
  {
    name: "node:http",
    program: `
      const { request } = await import("node:http")
      const text = await new Promise((resolve, reject) => {
        const body = JSON.stringify({ topic, payload })
        const length = Buffer.byteLength(body)
        request(url + "/v1/events", { method: "POST", headers: { ...headers, "content-length": length } }, (response) => {
          let text = ""
          response.setEncoding("utf8").on("data", (more) => { text += more }).on("end", () => resolve(text))
        }).on("error", reject).end(body)
      })
      if (JSON.parse(text).event_id.length !== 26) throw new Error("no event")`
  },
  {
    name: "fetch",
    program: `
      const body = JSON.stringify({ topic, payload })
      const response = await fetch(url + "/v1/events", { method: "POST", headers, body })
      if ((await response.json()).event_id.length !== 26) throw new Error("no event")`
  },
  {
    name: reference,
    program: `
      const { Svix } = await import("svix")
      const client = new Svix(apiKey, { serverUrl: url })
      const message = await client.message.create("app_1", { eventType: topic, payload })
      if (message.id.length !== 30) throw new Error("no message")`
  },
  { name: "@hookrail/promise", program: facade },
  // What workers get. Here it uses the `fetch` of Node.
  { name: "@hookrail/promise (web)", program: facade, conditions: ["workerd"] },
  { name: "hookrail@3 on @hookrail/node", program: withEffect("@hookrail/node", "hookrail", "effect") },
  { name: "hookrail@4 on @hookrail/node", program: withEffect("@hookrail/node-4", "hookrail-4", "effect-4") }
]

export interface StartRow {
  readonly contender: string
  /** The version of Node. */
  readonly node: string
  readonly millis: Summary
  readonly cpuMillis: Summary
  /** Of the times, to svix. */
  readonly ratio: Summary
  readonly cpuRatio: Summary
}

interface Sample {
  readonly millis: number
  readonly cpuMillis: number
}

const program = (contender: Contender, url: string): string => `
  const url = ${JSON.stringify(url)}
  const headers = ${JSON.stringify(headers())}
  const { apiKey, payload, topic } = ${JSON.stringify({ apiKey, payload, topic })}
  const cpu = process.cpuUsage()
  const start = performance.now()
  await (async () => {${contender.program}})()
  const millis = performance.now() - start
  const { system, user } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ millis, cpuMillis: (system + user) / 1000 }))
  process.exit()`

const sendOnce = ({ command }: Node, contender: Contender, url: string): Promise<Sample> =>
  runOnce("contender", {
    command,
    args: [
      ...(contender.conditions ?? []).map((condition) => `--conditions=${condition}`),
      "--input-type=module",
      "--eval",
      program(contender, url)
    ],
    // Packages are resolved from here.
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    // Neither is what a user's process has.
    env: { ...process.env, NODE_OPTIONS: "", NODE_EXTRA_CA_CERTS: "" }
  })

export const start = async (quick: boolean, progress: (text: string) => void): Promise<ReadonlyArray<StartRow>> => {
  const rounds = quick ? 7 : 21
  const stub = await startChild<null, StubCount>("server", nodeProgram("stub.ts"))
  const { url } = stub.hello as StubReady
  const rows: Array<StartRow> = []
  for (const node of nodes()) {
    const samples = new Map<Contender, Array<Sample>>(contenders.map((contender) => [contender, []]))
    // Loads the files into the page cache.
    for (const contender of contenders) await sendOnce(node, contender, url)
    await stub.ask(null)
    for (let round = 0; round < rounds; round++) {
      progress(`Node ${node.version}, round ${round + 1} of ${rounds}`)
      for (const contender of contenders) samples.get(contender)!.push(await sendOnce(node, contender, url))
    }
    const { requests } = await stub.ask(null)
    if (requests !== rounds * contenders.length) throw new Error(`the server has received ${requests} requests`)
    const svix = samples.get(contenders.find(({ name }) => name === reference)!)!
    for (const [{ name }, own] of samples) {
      const summaryOf = (value: (sample: Sample) => number) => summarize(own.map(value))
      const ratioOf = (value: (sample: Sample) => number) => summarize(ratios(own.map(value), svix.map(value)))
      rows.push({
        contender: name,
        node: node.version,
        millis: summaryOf(({ millis }) => millis),
        cpuMillis: summaryOf(({ cpuMillis }) => cpuMillis),
        ratio: ratioOf(({ millis }) => millis),
        cpuRatio: ratioOf(({ cpuMillis }) => cpuMillis)
      })
    }
  }
  await stub.stop()
  return rows
}
