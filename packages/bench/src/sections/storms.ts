/** What a client does when the server answers 429 and 503: with its gate, and with each fiber on its own. */
import { nodeProgram, start } from "../children.js"
import type {
  Conditions,
  Gate,
  ServerCount,
  ServerReady,
  StormOrder,
  StormOutcome,
  Weather
} from "../storms/protocol.js"

export interface StormsRow {
  readonly storm: string
  readonly gate: Gate
  readonly acceptedPerSecond: number
  /** Of the sends that a sender waited for. */
  readonly lost: number
  readonly requestsPerEvent: number
  readonly seconds: number
  /** Of a limit: the time it took, over the time that the limit alone takes. */
  readonly makespan?: number
  /** Of strays: the lowest rate of half a second afterwards, over the one before. */
  readonly lowest?: number
  /** Of an outage: seconds after its end until the rate is back at 90 %. */
  readonly backAfter?: number
  /** How long a status read took meanwhile, in milliseconds; `null` if it failed. */
  readonly readMillis?: number | null
}

const gates: ReadonlyArray<Gate> = ["its own", "layerNone"]

type Load = Omit<StormOrder, "url" | "gate">

const runOnce = async (gate: Gate, conditions: Conditions, load: Load) => {
  const server = await start<null, ServerCount>("server", nodeProgram("storms/server.ts", [JSON.stringify(conditions)]))
  const client = await start<StormOrder, StormOutcome>("contender", nodeProgram("storms/client.ts"))
  const { url } = server.hello as ServerReady
  const outcome = await client.ask({ ...load, url, gate })
  const { requests } = await server.ask(null)
  await client.stop()
  await server.stop()
  return { ...outcome, requests }
}

type Run = Awaited<ReturnType<typeof runOnce>>

const rowOf = (storm: string, gate: Gate, run: Run, millis = run.millis): StormsRow => ({
  storm,
  gate,
  acceptedPerSecond: run.accepted / millis * 1_000,
  lost: run.lost,
  requestsPerEvent: run.requests / (run.accepted + run.lost),
  seconds: millis / 1_000
})

/** Throughput, both gates in turn in one process: whatever else the machine does, it does to both. */
const inTurns = async (
  storm: string,
  weather: Weather,
  load: Load,
  rounds: number,
  tenths: number
): Promise<ReadonlyArray<StormsRow>> => {
  const conditions: Conditions = { weather, latency: 10 }
  const server = await start<null, ServerCount>("server", nodeProgram("storms/server.ts", [JSON.stringify(conditions)]))
  const client = await start<StormOrder, StormOutcome>("contender", nodeProgram("storms/client.ts"))
  const { url } = server.hello as ServerReady
  const runs = new Map(gates.map((gate) => [gate, { accepted: 0, answered: 0, lost: 0, requests: 0 }]))
  let seen = 0
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const gate of gates) {
      const outcome = await client.ask({ ...load, url, gate })
      const { requests } = await server.ask(null)
      if (round > 0) {
        const run = runs.get(gate)!
        // The last retries end later than the load.
        run.accepted += sum(outcome.tenths.slice(0, tenths))
        run.answered += outcome.accepted + outcome.lost
        run.lost += outcome.lost
        run.requests += requests - seen
      }
      seen = requests
    }
  }
  await client.stop()
  await server.stop()
  const seconds = rounds * tenths / 10
  return gates.map((gate) => {
    const { accepted, answered, lost, requests } = runs.get(gate)!
    return {
      storm,
      gate,
      acceptedPerSecond: accepted / seconds,
      lost,
      requestsPerEvent: requests / answered,
      seconds
    }
  })
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0)

/** Events per tenth of a second, over some of them. */
const rate = (tenths: ReadonlyArray<number>, from: number, until: number): number =>
  sum(tenths.slice(from, until)) / (until - from)

export const storms = async (
  quick: boolean,
  progress: (text: string) => void
): Promise<ReadonlyArray<StormsRow>> => {
  const rows: Array<StormsRow> = []
  const storm = async (
    name: string,
    weather: Weather,
    latency: number,
    load: Load,
    row: (run: Run, gate: Gate) => StormsRow
  ) => {
    for (const gate of gates) {
      progress(`${name}, ${gate}`)
      rows.push(row(await runOnce(gate, { weather, latency }, load), gate))
    }
  }

  /** 64 senders that never stop, for some seconds. */
  const steady = (seconds: number): Load => ({ senders: 64, eventsPerSender: 1e9, until: 1_000 * seconds })

  const [rounds, seconds] = quick ? [3, 2] : [5, 4]
  for (const share of [0, 0.001, 0.01, 0.1]) {
    const name = `${100 * share} % are 503`
    progress(name)
    rows.push(...await inTurns(name, { kind: "scattered", share }, steady(seconds), rounds, 10 * seconds))
  }

  const burst = "10,000 at once, 1 % are 503"
  await storm(
    burst,
    { kind: "scattered", share: 0.01 },
    10,
    { senders: 10_000, eventsPerSender: 1 },
    (run, gate) => rowOf(burst, gate, run)
  )

  const refused = "6 of 3,000 are refused for ever"
  await storm(refused, { kind: "refused", events: 6 }, 10, { senders: 3_000, eventsPerSender: 1 }, (run, gate) =>
    // The others are what it is about.
    rowOf(refused, gate, run, run.lastAccepted))

  for (const at of [[2_000], [2_000, 2_000]]) {
    const name = at.length === 1 ? "one 503 at full load" : "two 503 at full load"
    await storm(name, { kind: "strays", at }, 10, steady(4), (run, gate) => {
      const before = rate(run.tenths, 10, 19)
      const halves = [20, 25, 30].map((from) => rate(run.tenths, from, from + 5))
      return { ...rowOf(name, gate, run), lowest: Math.min(...halves) / before }
    })
  }

  const outage = "an outage of 5 s"
  await storm(outage, { kind: "outage", from: 2_000, until: 7_000 }, 10, steady(14), (run, gate) => {
    const before = rate(run.tenths, 10, 19)
    const back = run.tenths.findIndex((_, at) => at >= 70 && rate(run.tenths, at, at + 3) >= 0.9 * before)
    return { ...rowOf(outage, gate, run), backAfter: back < 0 ? Infinity : (back - 70) / 10 }
  })

  const limit = 200
  const patient = { maxRetries: 4, maxElapsed: "5 minutes" }
  for (const eventsPerSender of quick ? [1] : [1, 5]) {
    for (const kind of ["bucket", "window"] as const) {
      const events = 1_000 * eventsPerSender
      const name = `${limit}/s, ${kind === "bucket" ? "token bucket" : "fixed window"}, ${events} events`
      await storm(name, { kind, limit }, 0, { senders: 1_000, eventsPerSender, retry: patient }, (run, gate) => ({
        ...rowOf(name, gate, run),
        makespan: run.millis / (1_000 * events / limit)
      }))
    }
  }

  const reading = "a read while 3,000 sends wait"
  const load = { senders: 3_000, eventsPerSender: 1, retry: patient, readAfter: 2_000 }
  await storm(reading, { kind: "bucket", limit }, 0, load, (run, gate) => ({
    ...rowOf(reading, gate, run),
    makespan: run.millis / (1_000 * 3_000 / limit),
    readMillis: run.readMillis
  }))
  return rows
}
