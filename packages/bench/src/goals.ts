/** What the project has set itself, held against the results. */
import type { Goal, Results } from "./report.js"

const sendGoals = ({ send }: Results): ReadonlyArray<Goal> => {
  const limits: Readonly<Record<string, number>> = {
    "hookrail NodeTransport": 1,
    "@hookrail/promise": 1.15,
    "hookrail NodeTransport, traced": 1.4,
    "hookrail layerHttpClient (undici)": 4,
    "hookrail layerHttpClient (fetch)": 4
  }
  return (send?.rows ?? []).filter((row) => row.concurrency === 64 && row.contender in limits).map((row) => ({
    goal: `send, 64 at a time: ${row.contender}, relative to undici's Pool.request`,
    measured: row.ratio.median,
    limit: limits[row.contender]!
  }))
}

const receiveGoals = ({ receive }: Results): ReadonlyArray<Goal> => {
  const limits: Readonly<Record<string, number>> = { "@hookrail/promise": 1.4, "hookrail NodeWebhooks": 1.7 }
  return (receive ?? []).filter(({ contender }) => contender in limits).map(({ contender, ratio }) => ({
    goal: `receive: ${contender}, relative to a bare node:http server`,
    measured: ratio.median,
    limit: limits[contender]!
  }))
}

/** An Effect has to be run: so much more than the bare MAC may that take. */
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
      {
        goal: `verify ${bare.bodyBytes} bytes: SignatureVerifier, µs`,
        measured: micros("hookrail SignatureVerifier"),
        limit: limit + effectMicros
      }
    ]
  })

const coldstartGoals = ({ coldstart }: Results): ReadonlyArray<Goal> => {
  const svix = coldstart?.find(({ entry }) => entry === "svix")
  const facade = coldstart?.find(({ entry }) => entry === "@hookrail/promise")
  if (svix === undefined || facade === undefined) return []
  const goal = "coldstart: @hookrail/promise, at most as svix"
  return [
    { goal: `${goal}, ms`, measured: facade.importMillis.median, limit: svix.importMillis.median },
    { goal: `${goal}, rss MB`, measured: facade.rssMegabytes.median, limit: svix.rssMegabytes.median },
    { goal: `${goal}, heap MB`, measured: facade.heapMegabytes.median, limit: svix.heapMegabytes.median }
  ]
}

const sizeGoals = ({ size = [] }: Results): ReadonlyArray<Goal> =>
  size.filter(({ program }) => program === "@hookrail/promise").map(({ gzipKilobytes, platform }) => ({
    goal: `size: @hookrail/promise for ${platform}, gzip kB`,
    measured: gzipKilobytes,
    limit: 60
  }))

export const goalsOf = (results: Results): ReadonlyArray<Goal> => [
  ...sendGoals(results),
  ...receiveGoals(results),
  ...verifyGoals(results),
  ...coldstartGoals(results),
  ...sizeGoals(results)
]
