/** The summary of a run as text. */
import { toleranceBytes } from "./heap.js"
import type { ReceivingReport } from "./receiving.js"
import type { Report } from "./soak.js"

const mostViolations = 20

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`

const byCount = (counts: ReadonlyMap<string, number>): ReadonlyArray<readonly [string, string]> =>
  [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => [`  ${name}`, String(count)])

const receivingRows = (report: ReceivingReport | undefined): ReadonlyArray<readonly [string, string]> =>
  report === undefined ? [] : [
    ["deliveries to the receiver", String(report.deliveries)],
    ...byCount(report.answers),
    ["slow senders", String([...report.slowAnswers.values()].reduce((sum, count) => sum + count, 0))],
    ...byCount(report.slowAnswers),
    ["connections left open: receiver", String(report.leftOpen)]
  ]

const passed = (report: Report): boolean => report.violations.length === 0

export const render = (report: Report): string => {
  const { elapsedMs, heapGrowth, heapJudged, heapSamples, leftOpen, options, summary } = report
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["seed", String(options.seed)],
    ["fibers, sends per second at most", `${options.fibers}, ${options.rate}`],
    ["sends", String(summary.sends)],
    ...byCount(summary.results),
    ["sent again directly", String(summary.sentAgain)],
    ["events stored", String(summary.stored)],
    ["requests at the proxy", String(report.requests)],
    ...byCount(report.injected),
    ["retries", String(summary.retries)],
    ["requests per event", (report.requests / summary.sends).toFixed(2)],
    ["sends per second", (summary.sends / elapsedMs * 1000).toFixed(0)],
    ["slowest send", `${report.slowestMs.toFixed(0)} ms`],
    ["steps of the wall clock", String(report.steps)],
    ["clients closed and replaced", String(report.replaced)],
    ...receivingRows(report.receiving),
    [
      "event loop late by, 99 % and most",
      `${report.lateness.p99Ms.toFixed(0)} ms, ${report.lateness.maxMs.toFixed(0)} ms`
    ],
    ["processor time", `${(report.processorShare * 100).toFixed(0)} % of a core`],
    ["connections made, most at a time", `${report.connections}, ${report.peakConnections}`],
    ["connections left open: proxy, emulator", `${leftOpen.atProxy}, ${leftOpen.atEmulator}`],
    ["heap samples", heapSamples.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(" ")],
    ["heap growth, tolerance", `${megabytes(heapGrowth)}, ${megabytes(toleranceBytes)}`],
    ["heap judged", heapJudged ? "yes" : "no: needs node --expose-gc"]
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...report.violations.slice(0, mostViolations).map((violation) => `VIOLATION ${violation}`),
    ...(report.violations.length > mostViolations ? [`... and ${report.violations.length - mostViolations} more`] : []),
    passed(report) ? "PASSED" : `FAILED: ${report.violations.length} violations`
  ].join("\n")
}
