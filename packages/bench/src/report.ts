/** Prints the results as tables, and writes them into a JSON file. */
import type { BacklogResult } from "./protocol.js"
import type { ColdstartRow } from "./sections/coldstart.js"
import type { CommandRow } from "./sections/command.js"
import type { EnqueueRow } from "./sections/enqueue.js"
import type { KeysRow } from "./sections/keys.js"
import type { PartsRow } from "./sections/parts.js"
import type { QueuesRow } from "./sections/queues.js"
import type { ReceiveRow } from "./sections/receive.js"
import type { RelayRow } from "./sections/relay.js"
import type { SendResult } from "./sections/send.js"
import type { SizeRow } from "./sections/size.js"
import type { StartRow } from "./sections/start.js"
import type { StormsRow } from "./sections/storms.js"
import type { StreamResult } from "./sections/stream.js"
import type { VerifyRow } from "./sections/verify.js"
import type { Summary } from "./stats.js"

export interface Results {
  send?: SendResult
  parts?: ReadonlyArray<PartsRow>
  receive?: ReadonlyArray<ReceiveRow>
  verify?: ReadonlyArray<VerifyRow>
  coldstart?: ReadonlyArray<ColdstartRow>
  start?: ReadonlyArray<StartRow>
  command?: ReadonlyArray<CommandRow>
  size?: ReadonlyArray<SizeRow>
  keys?: ReadonlyArray<KeysRow>
  enqueue?: ReadonlyArray<EnqueueRow>
  relay?: ReadonlyArray<RelayRow>
  backlog?: BacklogResult
  queues?: ReadonlyArray<QueuesRow>
  stream?: ReadonlyArray<StreamResult>
  storms?: ReadonlyArray<StormsRow>
}

type Cell = string | number

/** The first column is text, aligned left; the others are numbers, aligned right. */
const table = (title: string, head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>): string => {
  const lines = [head, ...rows.map((row) => row.map(String))]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const format = (line: ReadonlyArray<string>): string =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("  ")
  const [first, ...rest] = lines.map(format)
  return [`\n${title}`, first!, "-".repeat(first!.length), ...rest].join("\n")
}

const figure = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)

/** The median, and the noise around it. */
const range = ({ max, median, min }: Summary): [string, string] => [figure(median), `${figure(min)}..${figure(max)}`]

const sendTables = ({ notes, rows }: SendResult): ReadonlyArray<string> => {
  const concurrencies = [...new Set(rows.map(({ concurrency }) => concurrency))]
  return [
    ...concurrencies.map((concurrency) =>
      table(
        `send, ${concurrency} at a time: CPU time per request`,
        ["", "µs", "min..max", "ratio", "min..max", "requests/s"],
        rows.filter((row) => row.concurrency === concurrency).map((row) => [
          row.contender,
          ...range(row.cpuMicros),
          ...range(row.ratio),
          figure(row.requestsPerSecond.median)
        ])
      )
    ),
    ...notes
  ]
}

const partsTable = (rows: ReadonlyArray<PartsRow>): string =>
  table(
    "parts: CPU time per send over a transport in memory, 64 at a time",
    ["", "µs", "min..max", "ratio", "min..max"],
    rows.map((row) => [row.contender, ...range(row.cpuMicros), ...range(row.ratio)])
  )

const receiveTable = (rows: ReadonlyArray<ReceiveRow>): string =>
  table(
    "receive, 32 at a time, 1 KB: CPU time per webhook",
    ["", "µs", "min..max", "ratio", "min..max"],
    rows.map((row) => [row.contender, ...range(row.cpuMicros), ...range(row.ratio)])
  )

const verifyTables = (rows: ReadonlyArray<VerifyRow>): ReadonlyArray<string> =>
  [...new Set(rows.map(({ bodyBytes }) => bodyBytes))].map((bodyBytes) =>
    table(
      `verify, ${bodyBytes} bytes: CPU time per webhook`,
      ["", "µs", "min..max", "ratio", "min..max"],
      rows.filter((row) => row.bodyBytes === bodyBytes).map((row) => [
        row.contender,
        ...range(row.cpuMicros),
        ...range(row.ratio)
      ])
    )
  )

const coldstartTable = (rows: ReadonlyArray<ColdstartRow>): string =>
  table(
    "coldstart: one import in a fresh process",
    ["", "ms", "min..max", "to svix", "rss MB", "heap MB"],
    rows.map((row) => [
      row.entry,
      ...range(row.importMillis),
      figure(row.ratio.median),
      figure(row.rssMegabytes.median),
      figure(row.heapMegabytes.median)
    ])
  )

const startTables = (rows: ReadonlyArray<StartRow>): ReadonlyArray<string> =>
  [...new Set(rows.map(({ node }) => node))].map((node) =>
    table(
      `start, Node ${node}: import and first event in a fresh process, ratios to svix`,
      ["", "ms", "min..max", "ratio", "min..max", "CPU ms", "ratio"],
      rows.filter((row) => row.node === node).map((row) => [
        row.contender,
        ...range(row.millis),
        ...range(row.ratio),
        figure(row.cpuMillis.median),
        figure(row.cpuRatio.median)
      ])
    )
  )

const commandTables = (rows: ReadonlyArray<CommandRow>): ReadonlyArray<string> =>
  [...new Set(rows.map(({ node }) => node))].map((node) =>
    table(
      `command, Node ${node}: a process of the command line, ratios to one that does nothing`,
      ["", "ms", "min..max", "ratio", "min..max"],
      rows.filter((row) => row.node === node).map((row) => [row.command, ...range(row.millis), ...range(row.ratio)])
    )
  )

const sizeTable = (rows: ReadonlyArray<SizeRow>): string =>
  table(
    "size: a program of one import, bundled (1 kB = 1,000 bytes)",
    ["", "platform", "minified kB", "gzip kB"],
    rows.map((row) => [row.program, row.platform, figure(row.minifiedKilobytes), figure(row.gzipKilobytes)])
  )

const keysTable = (rows: ReadonlyArray<KeysRow>): string =>
  table(
    "keys: CPU time per idempotency key",
    ["", "µs", "min..max", "ratio"],
    rows.map((row) => [row.contender, ...range(row.cpuMicros), figure(row.ratio.median)])
  )

const enqueueTable = (rows: ReadonlyArray<EnqueueRow>): string =>
  table(
    "enqueue: time to store an event, next to a bare INSERT of the same row by the same driver",
    ["", "µs", "min..max", "ratio", "CPU µs", "min..max", "ratio"],
    [...rows].sort((a, b) => a.contender < b.contender ? -1 : 1).map((row) => [
      row.contender,
      ...range(row.micros),
      figure(row.ratio.median),
      ...(row.cpuMicros === undefined ? ["", ""] : range(row.cpuMicros)),
      row.cpuRatio === undefined ? "" : figure(row.cpuRatio.median)
    ])
  )

const relayTable = (rows: ReadonlyArray<RelayRow>): string =>
  table(
    "relay: milliseconds per thousand events, or of one claim with its ack",
    ["", "ms", "min..max", "ratio", "to"],
    rows.map((row) => [row.contender, ...range(row.millis), figure(row.ratio.median), row.reference])
  )

const queuesTable = (rows: ReadonlyArray<QueuesRow>): string =>
  table(
    "queues: milliseconds per thousand events or jobs, on Node 22, and the ratio to the outbox",
    ["", "ms", "min..max", "ratio", "min..max"],
    rows.map((row) => [row.contender, ...range(row.millis), ...range(row.ratio)])
  )

const megabyte = 1024 * 1024

const backlogTable = ({ rows, samples, small, vacuumed }: BacklogResult): string =>
  table(
    `backlog: ${rows} rows, drained without sending; before each tenth ${small} rows of other tables. After a vacuum ` +
      `${figure(vacuumed.tableMegabytes)} MB and ${figure(vacuumed.indexMegabytes)} MB of indexes`,
    [
      "after events",
      "ms per thousand",
      "small",
      "ratio",
      "heap MB (lowest)",
      "rss MB",
      "table MB",
      "indexes MB",
      "dead rows"
    ],
    samples.map((sample) => [
      sample.events,
      figure(sample.millisPerThousand),
      figure(sample.smallMillis),
      figure(sample.millisPerThousand / sample.smallMillis),
      figure(sample.heapUsedBytes / megabyte),
      figure(sample.rssBytes / megabyte),
      figure(sample.tableMegabytes),
      figure(sample.indexMegabytes),
      sample.deadRows
    ])
  )

const streamTable = (
  { concurrency, contender, cpuMicrosPerEvent, events, eventsPerSecond, samples }: StreamResult
): string =>
  table(
    `${contender}: ${events} events, ${concurrency} at a time: ${figure(eventsPerSecond)} events/s, ` +
      `${figure(cpuMicrosPerEvent)} µs of CPU time per event`,
    ["after events", "heap MB (lowest)", "rss MB"],
    samples.map((sample) => [
      sample.events,
      figure(sample.heapUsedBytes / megabyte),
      figure(sample.rssBytes / megabyte)
    ])
  )

const optional = (value: number | null | undefined): Cell =>
  value === undefined ? "" : value === null ? "failed" : figure(value)

const stormsTable = (rows: ReadonlyArray<StormsRow>): string =>
  table(
    "storms: what a client does when the server answers 429 and 503",
    [
      "",
      "gate",
      "accepted/s",
      "lost",
      "requests per event",
      "s",
      "/ ideal",
      "lowest rate",
      "back after s",
      "read ms"
    ],
    rows.map((row) => [
      row.storm,
      row.gate,
      figure(row.acceptedPerSecond),
      row.lost,
      row.requestsPerEvent.toFixed(3),
      figure(row.seconds),
      optional(row.makespan),
      optional(row.lowest),
      optional(row.backAfter),
      optional(row.readMillis)
    ])
  )

export const tables = (results: Results): string =>
  [
    ...results.send === undefined ? [] : sendTables(results.send),
    ...results.parts === undefined ? [] : [partsTable(results.parts)],
    ...results.receive === undefined ? [] : [receiveTable(results.receive)],
    ...results.verify === undefined ? [] : verifyTables(results.verify),
    ...results.coldstart === undefined ? [] : [coldstartTable(results.coldstart)],
    ...startTables(results.start ?? []),
    ...commandTables(results.command ?? []),
    ...results.size === undefined ? [] : [sizeTable(results.size)],
    ...results.keys === undefined ? [] : [keysTable(results.keys)],
    ...results.enqueue === undefined ? [] : [enqueueTable(results.enqueue)],
    ...results.relay === undefined ? [] : [relayTable(results.relay)],
    ...results.queues === undefined ? [] : [queuesTable(results.queues)],
    ...results.backlog === undefined ? [] : [backlogTable(results.backlog)],
    ...(results.stream ?? []).map(streamTable),
    ...results.storms === undefined ? [] : [stormsTable(results.storms)]
  ].join("\n")

/** Whether each goal of the project was met, for the sections that ran. */
export const goalsTable = (goals: ReadonlyArray<Goal>): string =>
  table(
    "goals",
    ["", "measured", "limit", ""],
    goals.map((
      { goal, limit, measured }
    ) => [goal, figure(measured), figure(limit), measured <= limit ? "met" : "missed"])
  )

export interface Goal {
  readonly goal: string
  readonly measured: number
  readonly limit: number
}
