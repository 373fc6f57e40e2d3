/**
 * Sends what is in the outbox, as a layer.
 *
 * @since 0.1.0
 */
import * as Cause from "effect-4/Cause"
import * as Context from "effect-4/Context"
import * as Effect from "effect-4/Effect"
import * as Exit from "effect-4/Exit"
import * as Layer from "effect-4/Layer"
import * as Metric from "effect-4/Metric"
import * as Schedule from "effect-4/Schedule"
import type * as Scope from "effect-4/Scope"
import * as SqlClient from "effect-4/sql/SqlClient"
import * as Tracer from "effect-4/Tracer"
import * as HookrailClient from "hookrail-4/HookrailClient"
import type { OutboxConfigError, RowError, SchemaError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import { outboxStats } from "../operate/events.js"
import { interruptedSend, type LayerOptions, Meter, spanOf } from "../relay/bridge.js"
import type { RelayClient, RelayLog, RelayStats } from "../relay/model.js"
import { startRelay } from "../relay/relay.js"
import { executorOutside, outside } from "./executor.js"

/**
 * A running relay.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /**
   * A hint that there are new events: the relay looks at once. `enqueue` does this after the commit, where the relay is in its
   * context.
   */
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
export class Relay extends Context.Service<Relay, Service>()("@hookrail/outbox/Relay") {}

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
    const context = outside(yield* Effect.context<never>(), yield* SqlClient.SqlClient)
    const relay = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () =>
          startRelay({
            ...own,
            executor: untraced,
            client: clientOf(service, context),
            onLog: (entry) => void Effect.runForkWith(context)(lineOf(entry))
          }),
        catch: (error) => error as OutboxConfigError | SchemaError | RowError
      }),
      (relay) => Effect.promise(() => relay.drain({ timeoutMs: drainMs }))
    )
    yield* Effect.forkScoped(measured(measureMs, relay.stats, untraced, own, context))
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
 * import { NodeHookrail } from "@hookrail/node"
 * import { Relay } from "@hookrail/outbox/effect"
 * import { Layer } from "effect"
 * import type { SqlClient } from "effect/sql"
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
> => Layer.effect(Relay, make(options))

const clientOf = (client: HookrailClient.Service, context: Context.Context<never>): RelayClient => ({
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
    const exit = await Effect.runPromiseExitWith(context)(
      span === undefined ? sent : Effect.linkSpans(sent, Tracer.externalSpan(span)),
      { signal }
    )
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.hasInterruptsOnly(exit.cause) ? interruptedSend(outcome) : Cause.squash(exit.cause)
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
  context: Context.Context<never>
): Effect.Effect<void> => {
  const { destination = "default", prefix, schema } = options
  const meter = new Meter(
    (name, description) => {
      const metric = Metric.counter(name, { description, incremental: true }).pipe(
        Metric.withAttributes({ destination })
      )
      return (by) => metric.updateUnsafe(by, context)
    },
    (name, description) => {
      const metric = Metric.gauge(name, { description }).pipe(Metric.withAttributes({ destination }))
      return (value) => metric.updateUnsafe(value, context)
    }
  )
  const update = Effect.promise(async () => {
    meter.update(stats(), undefined)
    meter.update(stats(), await outboxStats(executor, { prefix, schema, destination }).catch(() => undefined))
  })
  return Effect.asVoid(Effect.repeat(update, Schedule.spaced(millis))).pipe(
    Effect.ensuring(Effect.sync(() => meter.update(stats(), undefined)))
  )
}
