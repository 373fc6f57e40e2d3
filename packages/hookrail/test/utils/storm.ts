/** Many senders at once against a server that lets a certain number of requests through per second. */
import { Clock, Duration, Effect, Random, Redacted } from "effect"
import { HookrailClient, type HookrailConfig, Transport } from "../../src/index.js"

/** Whether the server takes a request that comes at a time, in milliseconds. */
export type Limiter = (now: number) => boolean

export const fixedWindow = (limit: number, offset: number): Limiter => {
  let window = -1
  let count = 0
  return (now) => {
    const current = Math.floor((now + offset) / 1_000)
    if (current !== window) [window, count] = [current, 0]
    return ++count <= limit
  }
}

export const tokenBucket = (limit: number, burst: number): Limiter => {
  let tokens = burst
  let last = 0
  return (now) => {
    tokens = Math.min(burst, tokens + (now - last) * limit / 1_000)
    last = now
    if (tokens < 1) return false
    tokens--
    return true
  }
}

export interface Storm {
  readonly limiter: Limiter
  readonly senders: number
  readonly eventsPerSender: number
  /** Default: 4 retries within 5 minutes. */
  readonly retry?: HookrailConfig.Retry
  /** What a request gets that is not let through. Default: 429. */
  readonly refusal?: 429 | 503
  /** One way, in milliseconds: drawn between these for each request. */
  readonly latency?: readonly [number, number]
}

const answer = (status: number): Transport.TransportResponse => ({
  status,
  header: () => undefined,
  body: status === 202
    ? `{"event_id":"e1","delivery_ids":["d1"]}`
    : `{"detail":"per-key ingest rate exceeded","status":429,"title":"rate limited","type":"about:blank"}`,
  truncated: false
})

export const storm = (
  {
    eventsPerSender,
    latency = [1, 5],
    limiter,
    refusal = 429,
    retry = { maxRetries: 4, maxElapsed: "5 minutes" },
    senders
  }: Storm
) =>
  Effect.gen(function*() {
    let requests = 0
    let lost = 0
    const travel = Effect.flatMap(Random.nextRange(...latency), Effect.sleep)
    const transport: Transport.Service = {
      request: () =>
        Effect.suspend(() => {
          requests++
          return travel
        }).pipe(
          Effect.zipRight(Clock.currentTimeMillis),
          Effect.map((now) => answer(limiter(now) ? 202 : refusal)),
          Effect.tap(travel)
        )
    }
    const client = yield* HookrailClient.make({
      apiKey: Redacted.make("key"),
      baseUrl: "http://h.test",
      retry
    }).pipe(Effect.provideService(Transport.Transport, transport))
    const send = client.sendEvent("t", {}).pipe(
      Effect.catchAll(() => Effect.sync(() => void lost++))
    )
    const sender = Effect.replicateEffect(send, eventsPerSender, { discard: true })
    const [elapsed] = yield* Effect.timed(
      Effect.replicateEffect(sender, senders, { concurrency: "unbounded", discard: true })
    )
    const events = senders * eventsPerSender
    return {
      requestsPerEvent: requests / events,
      lost,
      seconds: Duration.toSeconds(elapsed),
      /** Over the time that the limit alone takes. */
      makespan: Duration.toSeconds(elapsed) / (events / 200)
    }
  })
