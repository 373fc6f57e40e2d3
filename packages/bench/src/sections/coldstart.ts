/** What importing a package costs a new process, in time and memory. */
import { fileURLToPath } from "node:url"
import { runOnce } from "../children.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

interface Entry {
  readonly name: string
  /** The module to import; none, to see the cost of the measurement itself. */
  readonly specifier: string | undefined
  readonly conditions?: ReadonlyArray<string> | undefined
}

const entry = (specifier: string, name = specifier): Entry => ({ name, specifier })

const entries: ReadonlyArray<Entry> = [
  { name: "(nothing)", specifier: undefined },
  entry("hookrail", "hookrail@3"),
  entry("hookrail-4", "hookrail@4"),
  entry("hookrail/HookrailClient", "hookrail@3/HookrailClient"),
  entry("hookrail-4/HookrailClient", "hookrail@4/HookrailClient"),
  entry("hookrail/SignatureVerifier", "hookrail@3/SignatureVerifier"),
  entry("hookrail-4/SignatureVerifier", "hookrail@4/SignatureVerifier"),
  entry("@hookrail/node", "@hookrail/node@3"),
  entry("@hookrail/node-4", "@hookrail/node@4"),
  entry("@hookrail/promise"),
  // What workers and browsers get.
  { name: "@hookrail/promise (web)", specifier: "@hookrail/promise", conditions: ["workerd"] },
  entry("@hookrail/promise/verify"),
  entry("svix"),
  entry("stripe"),
  entry("axios"),
  entry("undici")
]

export interface ColdstartRow {
  readonly entry: string
  readonly importMillis: Summary
  /** The time, relative to that of svix in the same round. */
  readonly ratio: Summary
  readonly rssMegabytes: Summary
  readonly heapMegabytes: Summary
}

interface Sample {
  readonly millis: number
  readonly rss: number
  readonly heapUsed: number
}

const program = (specifier: string | undefined): string => `
  const before = process.memoryUsage()
  const start = performance.now()
  ${specifier === undefined ? "" : `await import(${JSON.stringify(specifier)})`}
  const millis = performance.now() - start
  const after = process.memoryUsage()
  const sample = { millis, rss: after.rss - before.rss, heapUsed: after.heapUsed - before.heapUsed }
  console.log(JSON.stringify(sample))`

const importOnce = ({ conditions = [], specifier }: Entry): Promise<Sample> =>
  runOnce("contender", {
    command: process.execPath,
    args: [
      ...conditions.map((condition) => `--conditions=${condition}`),
      "--input-type=module",
      "--eval",
      program(specifier)
    ],
    // Packages are resolved from here.
    cwd: fileURLToPath(new URL("../..", import.meta.url))
  })

const megabyte = 1024 * 1024

export const coldstart = async (
  quick: boolean,
  progress: (text: string) => void
): Promise<ReadonlyArray<ColdstartRow>> => {
  const rounds = quick ? 5 : 15
  const samples = new Map<Entry, Array<Sample>>(entries.map((entry) => [entry, []]))
  // Loads the files into the page cache.
  for (const entry of entries) await importOnce(entry)
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`)
    for (const entry of entries) samples.get(entry)!.push(await importOnce(entry))
  }
  const millisOf = (entry: Entry) => samples.get(entry)!.map(({ millis }) => millis)
  const svix = millisOf(entries.find(({ name }) => name === "svix")!)
  return entries.map((entry) => {
    const summaryOf = (value: (sample: Sample) => number): Summary => summarize(samples.get(entry)!.map(value))
    return {
      entry: entry.name,
      importMillis: summaryOf(({ millis }) => millis),
      ratio: summarize(ratios(millisOf(entry), svix)),
      rssMegabytes: summaryOf(({ rss }) => rss / megabyte),
      heapMegabytes: summaryOf(({ heapUsed }) => heapUsed / megabyte)
    }
  })
}
