/** The benchmark: runs the sections one after the other, prints their tables and writes the results. */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { stopAll } from "./children.js"
import { goalsOf } from "./goals.js"
import { machine } from "./machine.js"
import type { Results } from "./report.js"
import { goalsTable, tables } from "./report.js"
import { backlog } from "./sections/backlog.js"
import { coldstart } from "./sections/coldstart.js"
import { command } from "./sections/command.js"
import { enqueue } from "./sections/enqueue.js"
import { keys } from "./sections/keys.js"
import { parts } from "./sections/parts.js"
import { queues } from "./sections/queues.js"
import { receive } from "./sections/receive.js"
import { relay } from "./sections/relay.js"
import { send } from "./sections/send.js"
import { size } from "./sections/size.js"
import { start } from "./sections/start.js"
import { storms } from "./sections/storms.js"
import { stream } from "./sections/stream.js"
import { verify } from "./sections/verify.js"

const usage = `pnpm bench [options]

  --quick           fewer rounds, sizes of load and events: about three minutes, more noise
  --only <section>  only this one (may be repeated): send, parts, receive, verify, coldstart, start, command, size, keys,
                    enqueue, relay, backlog, queues, stream, storms
  --events <n>      how many events the stream has (default 200000; with --quick 50000)
  --rows <n>        how many events the backlog has (default 1000000; with --quick 200000)
  --out <file>      where the figures go (default results.json in this package)
`

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    events: { type: "string" },
    rows: { type: "string" },
    out: { type: "string", default: fileURLToPath(new URL("../results.json", import.meta.url)) },
    help: { type: "boolean", default: false }
  }
})

const { quick } = options
const events = Number(options.events ?? (quick ? 50_000 : 200_000))

const rows = Number(options.rows ?? (quick ? 200_000 : 1_000_000))

type Section = keyof Results

const run = async (): Promise<void> => {
  const about = machine()
  const results: Results = {}
  const sections: Readonly<Record<Section, (progress: (text: string) => void) => Promise<unknown>>> = {
    size: async () => results.size = await size(),
    keys: async () => results.keys = await keys(quick),
    enqueue: async () => results.enqueue = await enqueue(quick),
    relay: async () => results.relay = await relay(quick),
    queues: async () => results.queues = await queues(quick),
    backlog: async () => results.backlog = await backlog(rows),
    coldstart: async (progress) => results.coldstart = await coldstart(quick, progress),
    start: async (progress) => results.start = await start(quick, progress),
    command: async (progress) => results.command = await command(quick, progress),
    verify: async () => results.verify = await verify(quick),
    receive: async (progress) => results.receive = await receive(quick, progress),
    parts: async () => results.parts = await parts(quick),
    send: async (progress) => results.send = await send(quick, progress),
    stream: async (progress) => results.stream = await stream(events, progress),
    storms: async (progress) => results.storms = await storms(quick, progress)
  }
  const names = options.only ?? Object.keys(sections)
  if (
    !names.every((name) => name in sections) ||
    ![events, rows].every((count) => Number.isSafeInteger(count) && count >= 1_000)
  ) {
    console.error(usage)
    process.exit(2)
  }
  for (const name of names as ReadonlyArray<Section>) {
    process.stderr.write(`${name}\n`)
    await sections[name]((text) => process.stderr.write(`  ${text}\n`))
  }
  const goals = goalsOf(results)
  const { cores, loadBefore, node, processor } = about
  console.log(`Node ${node} on ${cores} cores of ${processor}, load before the run ${loadBefore.toFixed(2)}`)
  console.log(tables(results))
  if (goals.length > 0) console.log(goalsTable(goals))
  writeFileSync(
    options.out,
    `${JSON.stringify({ machine: about, options: { quick, events, rows }, results, goals }, null, 2)}\n`
  )
  console.log(`\nFigures: ${options.out}`)
}

process.on("exit", stopAll)
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130))

if (options.help) console.log(usage)
else await run()
