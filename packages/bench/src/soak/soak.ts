/** The run: fibers send through the faulty proxy to the emulator, and every send is accounted for. */
import { type EmulatorOptions, startEmulator } from "@hookrail/emulator"
import { Effect, Fiber, Option, Schedule } from "effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Account, type Summary } from "./account.js"
import { budgetFault } from "./budget.js"
import { plan } from "./events.js"
import { seededFaults } from "./faults.js"
import { growth, sampling, toleranceBytes } from "./heap.js"
import { type Proxy, startProxy } from "./proxy.js"
import { receiving, type ReceivingReport } from "./receiving.js"
import { effectSender, maxElapsedMs, maxRetries, promiseSender, type Sender } from "./senders.js"
import { steppingClock } from "./steps.js"

export interface SoakOptions {
  readonly seconds: number
  readonly seed: number
  /** Half use the Effect client, half the promise facade. */
  readonly fibers: number
  /** The maximum number of sends started per second. */
  readonly rate: number
  /** How long an attempt may take. */
  readonly timeoutMs: number
  /** Changes the server, to test that a faulty one is detected. */
  readonly emulator?: EmulatorOptions | undefined
}

export interface Report {
  readonly options: SoakOptions
  readonly summary: Summary
  readonly injected: ReadonlyMap<string, number>
  readonly requests: number
  readonly connections: number
  readonly peakConnections: number
  /** Connections that were still open after all clients were closed. */
  readonly leftOpen: { readonly atProxy: number; readonly atEmulator: number }
  readonly elapsedMs: number
  readonly slowestMs: number
  /** How often the wall clock stepped. */
  readonly steps: number
  /** How many clients of the facade were closed and replaced. */
  readonly replaced: number
  /** Missing if the run hangs. */
  readonly receiving: ReceivingReport | undefined
  /** Delay of the event loop: on a starved machine the clients see more timeouts than the proxy injects. */
  readonly lateness: { readonly p99Ms: number; readonly maxMs: number }
  /** CPU time per elapsed time. */
  readonly processorShare: number
  readonly heapSamples: ReadonlyArray<number>
  readonly heapGrowth: number
  /** Whether the samples were taken after a full collection. */
  readonly heapJudged: boolean
  readonly violations: ReadonlyArray<string>
}

/** How long sends may take to settle. Warm-up and closing the clients get as much again; sockets must close sooner. */
const settleMs = 30_000
const closeMs = 3_000

/** How many events and keys the emulator must remember, so that it forgets no key that may still be sent. */
const remembered = ({ rate }: SoakOptions): number => Math.ceil(rate * settleMs / 1000)

/** Waits until everything is closed; returns how many are still open when the time is up. */
const drained = (open: () => number): Effect.Effect<number> =>
  Effect.sync(open).pipe(
    Effect.repeat({
      until: (left) => left === 0,
      schedule: Schedule.spaced(10).pipe(Schedule.upTo(closeMs))
    }),
    Effect.map(open)
  )

/** Collects errors that escape all error channels. */
const escapes = (report: (what: string) => void) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const onRejection = (reason: unknown) => report(`unhandledRejection: ${String(reason)}`)
      const onException = (error: Error) => report(`uncaughtException: ${error.stack}`)
      // Node warns of leaked listeners.
      const onWarning = (warning: Error) => {
        if (warning.name === "MaxListenersExceededWarning") report(`warning: ${warning.message}`)
      }
      process.on("unhandledRejection", onRejection)
      process.on("uncaughtException", onException)
      process.on("warning", onWarning)
      return () => {
        process.off("unhandledRejection", onRejection)
        process.off("uncaughtException", onException)
        process.off("warning", onWarning)
      }
    }),
    (remove) => Effect.sync(remove)
  )

export const soak = (options: SoakOptions): Effect.Effect<Report> =>
  Effect.scoped(Effect.gen(function*() {
    const { fibers, rate, seconds, seed, timeoutMs } = options
    const heapJudged = globalThis.gc !== undefined
    const violations: Array<string> = []
    const account = new Account()
    yield* escapes((what) => violations.push(what))

    const emulator = yield* Effect.acquireRelease(
      Effect.promise(() =>
        startEmulator({
          seed,
          adminPort: false,
          ingestRateLimit: false,
          eventLimit: remembered(options),
          ledgerLimit: 100,
          observer: {
            event: (event) => {
              if (event.topic !== warmUpTopic) account.stored(Number(event.orderingKey), event)
            }
          },
          ...options.emulator
        })
      ),
      (emulator) => Effect.promise(() => emulator.close())
    )
    const proxy: Proxy = yield* Effect.acquireRelease(
      Effect.promise(() =>
        startProxy({
          target: emulator.url,
          faults: seededFaults(seed, timeoutMs),
          onRequest: (headers) =>
            account.attempted(
              Number(headers["x-hookrail-ordering-key"]),
              headers["idempotency-key"] as string | undefined
            )
        })
      ),
      (proxy) => Effect.promise(() => proxy.close())
    )

    const client = { apiKey: emulator.apiKey, timeoutMs }
    const heapSamples: Array<number> = []
    let peakConnections = 0
    let slowestMs = 0
    let steps = 0
    let replaced = 0
    let receivingReport: ReceivingReport | undefined
    let elapsedMs = Number.NaN
    let processorShare = Number.NaN
    const eventLoop = monitorEventLoopDelay()

    /** One send, until it is settled. */
    const one = (seq: number, send: Sender, sendDirectly: Sender): Effect.Effect<void> =>
      Effect.gen(function*() {
        const planned = plan(seed, seq, timeoutMs)
        const maxAttempts = planned.retry ? 1 + maxRetries : 1
        const start = performance.now()
        account.begin(seq, { payload: planned.payload, key: planned.key, maxAttempts })
        const result = yield* send(planned)
        const tookMs = performance.now() - start
        const fault = budgetFault(result, tookMs, { maxAttempts, maxElapsedMs: maxElapsedMs(timeoutMs), timeoutMs })
        if (fault !== undefined) violations.push(`send ${seq}: ${fault}`)
        slowestMs = Math.max(slowestMs, tookMs)
        peakConnections = Math.max(peakConnections, proxy.openConnections())
        const key = account.ended(seq, result)
        if (key === undefined) return
        account.sentAgain(seq, yield* sendDirectly({ ...planned, key, retry: false, interruptAfter: undefined }))
      })

    const sending = Effect.gen(function*() {
      const facade = yield* promiseSender({
        ...client,
        baseUrl: proxy.url,
        concurrency: fibers,
        // At full rate that is twice a second.
        closeEvery: Math.ceil(rate / 4),
        report: (what) => violations.push(what)
      })
      const senders = [yield* effectSender({ ...client, baseUrl: proxy.url }), facade.sender] as const
      // With a long timeout, since the machine may be busy: a timeout here would not be the client's fault.
      const sendDirectly = yield* effectSender({ ...client, baseUrl: emulator.url, timeoutMs: settleMs })
      if (heapJudged) yield* warmUp(sendDirectly, options)

      eventLoop.enable()
      const before = process.cpuUsage()
      const clockSteps = yield* steppingClock(timeoutMs)
      // All times here are monotonic.
      const start = performance.now()
      const end = start + seconds * 1000
      let next = 0
      const fiber = (sender: Sender) =>
        Effect.gen(function*() {
          for (;;) {
            const seq = next++
            const now = performance.now()
            const due = start + seq * 1000 / rate
            if (Math.max(now, due) >= end) return
            if (due > now) yield* Effect.sleep(due - now)
            yield* one(seq, sender, sendDirectly)
          }
        })
      const all = Effect.forEach(
        Array.from({ length: fibers }, (_, index) => senders[index % 2]!),
        fiber,
        { concurrency: "unbounded", discard: true }
      )
      const received = yield* Effect.fork(receiving({ seconds, seed, timeoutMs }))
      yield* Effect.raceFirst(all, sampling(heapSamples, seconds * 1000 / 30))
      elapsedMs = performance.now() - start
      steps = clockSteps()
      replaced = facade.replaced()
      const { system, user } = process.cpuUsage(before)
      processorShare = (system + user) / 1000 / elapsedMs
      eventLoop.disable()
      receivingReport = yield* Fiber.join(received)
    })

    yield* Effect.scoped(sending).pipe(
      // A hanging send may not be interruptible.
      Effect.disconnect,
      Effect.timeoutOption(seconds * 1000 + 3 * settleMs),
      Effect.tap(Option.match({
        onNone: () =>
          Effect.sync(() => violations.push("the sends hang, or the closing of their clients, or the receiver")),
        onSome: () => Effect.void
      }))
    )
    const atProxy = yield* drained(proxy.openConnections)
    // Requests that are still on their way for ended sends must not become events either.
    yield* Effect.promise(proxy.idle)
    yield* Effect.promise(proxy.close)
    const atEmulator = yield* drained(emulator.openConnections)
    if (atProxy + atEmulator > 0) {
      violations.push(`connections left open: ${atProxy} to the proxy, ${atEmulator} beyond`)
    }

    const heapGrowth = growth(heapSamples)
    if (heapJudged && heapGrowth > toleranceBytes) violations.push(`the heap has grown by ${heapGrowth} bytes`)

    const summary = account.close()
    return {
      options,
      summary,
      injected: proxy.injected,
      requests: proxy.requests(),
      connections: proxy.connections(),
      peakConnections,
      leftOpen: { atProxy, atEmulator },
      elapsedMs,
      slowestMs,
      steps,
      replaced,
      receiving: receivingReport,
      lateness: { p99Ms: eventLoop.percentile(99) / 1e6, maxMs: eventLoop.max / 1e6 },
      processorShare,
      heapSamples,
      heapGrowth,
      heapJudged,
      violations: [...summary.violations, ...violations, ...receivingReport?.violations ?? []]
    }
  })).pipe(Effect.orDie)

const warmUpTopic = "warm-up"

/** Fills the emulator's memory with similar events, so that it no longer grows and heap growth indicates a leak. */
const warmUp = (send: Sender, options: SoakOptions): Effect.Effect<void> =>
  Effect.forEach(
    Array.from({ length: remembered(options) }, (_, seq) => plan(options.seed, seq, options.timeoutMs)),
    (planned) => send({ ...planned, topic: warmUpTopic, key: `warm-up-${planned.seq}`, interruptAfter: undefined }),
    { concurrency: 32, discard: true }
  )
