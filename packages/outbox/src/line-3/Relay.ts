/**
 * Sends what is in the outbox, as a layer.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as HookrailClient from "hookrail/HookrailClient"
import type { OutboxConfigError, RowError, SchemaError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import { outboxStats } from "../operate/events.js"
import { interruptedSend, type LayerOptions, spanOf } from "../relay/bridge.js"
import type { RelayClient, RelayLog, RelayStats } from "../relay/model.js"
import { startRelay } from "../relay/relay.js"
import { executorOutside, runtimeOutside } from "./executor.js"
import { meterOf } from "./meter.js"

/**
 * A running relay.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** A hint that there are new events: the relay looks at once. Run it after a commit in the same process. */
  readonly wake: Effect.Effect<void>
  readonly stats: Effect.Effect<RelayStats>
}

/**
 * Options of a relay. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends LayerOptions {}

/**
 * @since 0.1.0
 * @category tags
 */
export class Relay extends Context.Tag("@hookrail/outbox/Relay")<Relay, Service>() {}

/**
 * Starts a relay, which is drained when the scope closes. See `layer`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<
  Service,
  OutboxConfigError | SchemaError | RowError,
  SqlClient.SqlClient | HookrailClient.HookrailClient | Scope.Scope
> =>
  Effect.gen(function*() {
    const { drainMs, measureMs = 10_000, ...own } = options
    const untraced = yield* executorOutside.pipe(Effect.withTracerEnabled(false))
    const service = yield* HookrailClient.HookrailClient
    const runtime = yield* runtimeOutside
    const relay = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          startRelay({
            ...own,
            executor: untraced,
            client: clientOf(service, runtime),
            onLog: (entry) => void Runtime.runFork(runtime)(lineOf(entry))
          }),
        catch: (error) => error as OutboxConfigError | SchemaError | RowError
      }),
      (relay) => Effect.promise(() => relay.drain({ timeoutMs: drainMs }))
    )
    yield* Effect.forkScoped(measured(measureMs, relay.stats, untraced, own, runtime))
    return { wake: Effect.sync(relay.wake), stats: Effect.sync(relay.stats) }
  })

/**
 * A relay that runs as long as the layer. When the layer is released, it finishes what is in flight, records it, and gives the rest
 * back: see `drainMs`. It uses the `SqlClient` and the `HookrailClient` of its context.
 *
 * Each send is a span of the client, which is linked to the span that enqueued the event. What happens is logged, never a payload.
 * Metrics are named as those of the command, with `hookrail.outbox.` before them.
 *
 * Fails with `OutboxConfigError`, `SchemaError` or `RowError`. A database that cannot be reached is waited for.
 *
 * @example
 * import type { SqlClient } from "@effect/sql"
 * import { NodeHookrail } from "@hookrail/node"
 * import { Relay } from "@hookrail/outbox/effect-3"
 * import { Layer } from "effect"
 *
 * // Such as `PgClient.layer` of `@effect/sql-pg`.
 * declare const DatabaseLive: Layer.Layer<SqlClient.SqlClient>
 *
 * const RelayLive = Relay.layer({ concurrency: 64 }).pipe(Layer.provide([NodeHookrail.layer(), DatabaseLive]))
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  Relay,
  OutboxConfigError | SchemaError | RowError,
  SqlClient.SqlClient | HookrailClient.HookrailClient
> => Layer.scoped(Relay, make(options))

const clientOf = (client: HookrailClient.Service, runtime: Runtime.Runtime<never>): RelayClient => ({
  sendEncoded: async (event, { signal, timeout }) => {
    let outcome = "unknown"
    const sent = client.sendEncoded(event, {
      retry: false,
      timeout,
      onInterrupt: (send) =>
        Effect.sync(() => {
          outcome = send.outcome
        })
    })
    const span = spanOf(event.traceparent)
    const exit = await Runtime.runPromiseExit(runtime)(
      span === undefined ? sent : Effect.linkSpans(sent, Tracer.externalSpan(span)),
      { signal }
    )
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.isInterruptedOnly(exit.cause) ? interruptedSend(outcome) : Cause.squash(exit.cause)
  }
})

const lineOf = ({ fields, level, message }: RelayLog): Effect.Effect<void> => {
  const log = { info: Effect.logInfo, warn: Effect.logWarning, error: Effect.logError }[level]
  return Effect.annotateLogs(log(message), fields)
}

/** Brings the metrics up to date, now and then, and at the end. */
const measured = (
  millis: number,
  stats: () => RelayStats,
  executor: Executor,
  options: Options,
  runtime: Runtime.Runtime<never>
): Effect.Effect<void> => {
  const { destination = "default", prefix, schema } = options
  const meter = meterOf(destination, runtime)
  const update = Effect.promise(async () => {
    meter.update(stats(), undefined)
    meter.update(stats(), await outboxStats(executor, { prefix, schema, destination }).catch(() => undefined))
  })
  return Effect.asVoid(Effect.repeat(update, Schedule.spaced(millis))).pipe(
    Effect.ensuring(Effect.sync(() => meter.update(stats(), undefined)))
  )
}
