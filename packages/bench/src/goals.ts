/** The goals of the project, compared with the results. */
import type { Goal, Results } from "./report.js"
import { median } from "./stats.js"

const sendGoals = ({ send }: Results): ReadonlyArray<Goal> => {
  const limits: Readonly<Record<string, number>> = {
    "hookrail@4 NodeTransport": 0.7,
    "hookrail@3 NodeTransport": 1,
    "@hookrail/promise": 1.15,
    "hookrail@4 NodeTransport, traced": 1.4,
    "hookrail@3 NodeTransport, traced": 1.4,
    "hookrail@3 layerHttpClient (undici)": 4,
    "hookrail@3 layerHttpClient (fetch)": 4
  }
  return (send?.rows ?? []).filter((row) => row.concurrency === 64 && row.contender in limits).map((row) => ({
    goal: `send, 64 at a time: ${row.contender}, relative to undici's Pool.request`,
    measured: row.ratio.median,
    limit: limits[row.contender]!
  }))
}

const receiveGoals = ({ receive }: Results): ReadonlyArray<Goal> => {
  const limits: Readonly<Record<string, number>> = {
    "@hookrail/promise": 1.4,
    "hookrail@4 NodeWebhooks": 1.7,
    "hookrail@3 NodeWebhooks": 1.7
  }
  return (receive ?? []).filter(({ contender }) => contender in limits).map(({ contender, ratio }) => ({
    goal: `receive: ${contender}, relative to a bare node:http server`,
    measured: ratio.median,
    limit: limits[contender]!
  }))
}

/** How many microseconds more than the bare MAC an Effect may take, since it has to be run. */
const effectMicros = 2.2

const verifyGoals = ({ verify = [] }: Results): ReadonlyArray<Goal> =>
  verify.filter(({ contender }) => contender.startsWith("createHmac")).flatMap((bare) => {
    const micros = (contender: string): number =>
      verify.find((row) => row.contender === contender && row.bodyBytes === bare.bodyBytes)!.cpuMicros.median
    const limit = 1.05 * bare.cpuMicros.median
    return [
      {
        goal: `verify ${bare.bodyBytes} bytes: @hookrail/promise/verify, µs`,
        measured: micros("@hookrail/promise/verify"),
        limit
      },
      ...[4, 3].map((line) => ({
        goal: `verify ${bare.bodyBytes} bytes: hookrail@${line} SignatureVerifier, µs`,
        measured: micros(`hookrail@${line} SignatureVerifier`),
        limit: limit + effectMicros
      }))
    ]
  })

const coldstartGoals = ({ coldstart }: Results): ReadonlyArray<Goal> => {
  const svix = coldstart?.find(({ entry }) => entry === "svix")
  const facade = coldstart?.find(({ entry }) => entry === "@hookrail/promise")
  if (svix === undefined || facade === undefined) return []
  const goal = "coldstart: @hookrail/promise, at most as svix"
  const web = coldstart?.find(({ entry }) => entry === "@hookrail/promise (web)")
  return [
    ...(web === undefined
      ? []
      : [{ goal: `coldstart: ${web.entry}, relative to svix`, measured: web.ratio.median, limit: 1 }]),
    // What counts of the time, import and first event: see `start`.
    { goal: `${goal}, rss MB`, measured: facade.rssMegabytes.median, limit: svix.rssMegabytes.median },
    { goal: `${goal}, heap MB`, measured: facade.heapMegabytes.median, limit: svix.heapMegabytes.median }
  ]
}

const startGoals = ({ start = [] }: Results): ReadonlyArray<Goal> =>
  start.filter(({ contender }) => contender === "@hookrail/promise").map(({ node, ratio }) => ({
    goal: `start: @hookrail/promise, relative to svix, Node ${node}`,
    measured: ratio.median,
    limit: 1
  }))

const commandGoals = ({ command = [] }: Results): ReadonlyArray<Goal> =>
  command.filter(({ command }) => command.startsWith("hookrail") && !command.endsWith("cold"))
    .map(({ command, millis, node }) => ({
      goal: `command: ${command}, Node ${node}, ms`,
      measured: millis.median,
      limit: 500
    }))

const sizeGoals = ({ size = [] }: Results): ReadonlyArray<Goal> =>
  size.filter(({ program }) => program === "@hookrail/promise").map(({ gzipKilobytes, platform }) => ({
    goal: `size: @hookrail/promise for ${platform}, gzip kB`,
    measured: gzipKilobytes,
    limit: 60
  }))

const stormsGoals = ({ storms = [] }: Results): ReadonlyArray<Goal> =>
  storms.filter(({ gate }) => gate === "its own").flatMap((row): ReadonlyArray<Goal> => {
    const alone = storms.find(({ gate, storm }) => gate === "layerNone" && storm === row.storm)!
    const goal = (what: string, measured: number, limit: number): Goal => ({
      goal: `storms: ${row.storm}: ${what}`,
      measured,
      limit
    })
    const none = goal("lost", row.lost, 0)
    if (row.storm.endsWith("% are 503") && !row.storm.startsWith("10,000")) {
      const part = row.storm.startsWith("10 ") ? 0.9 : 0.95
      return [
        goal("rate without a gate, relative to its own", alone.acceptedPerSecond / row.acceptedPerSecond, 1 / part)
      ]
    }
    if (row.storm.startsWith("10,000")) {
      return [none, goal("time, relative to layerNone", row.seconds / alone.seconds, 1.5)]
    }
    if (row.storm.endsWith("for ever")) {
      return [goal("time of the others, relative to layerNone", row.seconds / alone.seconds, 1.2)]
    }
    if (row.lowest !== undefined) return [goal("dip", 1 - row.lowest, 0.1)]
    if (row.backAfter !== undefined) return [none, goal("back at 90 % after s", row.backAfter, 5)]
    if (row.readMillis !== undefined) return [none, goal("read, ms", row.readMillis ?? Infinity, 1_000)]
    return [
      none,
      goal("requests per event", row.requestsPerEvent, 1.1),
      goal("makespan / ideal", row.makespan!, 1.3)
    ]
  })

const enqueueGoals = ({ enqueue = [] }: Results): ReadonlyArray<Goal> =>
  enqueue.filter(({ contender }) => contender.includes(": enqueue")).map(({ contender, cpuRatio, ratio }) => ({
    goal: `enqueue: ${contender}, relative to a bare INSERT`,
    measured: (cpuRatio ?? ratio).median,
    limit: 1.1
  }))

const relayGoals = ({ relay }: Results): ReadonlyArray<Goal> =>
  (relay ?? []).flatMap(({ contender, limit, ratio, reference }) =>
    limit === undefined
      ? []
      : [{ goal: `relay: ${contender}, relative to ${reference}`, measured: ratio.median, limit }]
  )

const backlogGoals = ({ backlog }: Results): ReadonlyArray<Goal> => {
  if (backlog === undefined) return []
  const { left, rows, samples, small } = backlog
  const paces = samples.map(({ millisPerThousand, smallMillis }) => millisPerThousand / smallMillis)
  const goal = (what: string, measured: number, limit: number): Goal => ({
    goal: `backlog: ${rows} rows: ${what}`,
    measured,
    limit
  })
  const heaps = samples.map(({ heapUsedBytes }) => heapUsedBytes)
  return [
    goal(`time per event, relative to ${small} rows`, median(paces), 1.25),
    goal("the same of the last tenth", paces.at(-1)!, 1.5),
    goal("heap of the largest tenth, relative to the first", Math.max(...heaps) / heaps[0]!, 1.5),
    goal("not sent", left, 0)
  ]
}

export const goalsOf = (results: Results): ReadonlyArray<Goal> => [
  ...sendGoals(results),
  ...receiveGoals(results),
  ...verifyGoals(results),
  ...coldstartGoals(results),
  ...startGoals(results),
  ...commandGoals(results),
  ...sizeGoals(results),
  ...enqueueGoals(results),
  ...relayGoals(results),
  ...backlogGoals(results),
  ...stormsGoals(results)
]
