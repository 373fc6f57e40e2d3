/** The adapter of each line of Effect, driven by promises: both must do the same. */
import { LibsqlClient } from "@effect/sql-libsql"
import * as PgClient4 from "@effect/sql-pg-4/PgClient"
import * as PgClient3 from "@effect/sql-pg/PgClient"
import * as SqlClient3 from "@effect/sql/SqlClient"
import * as Effect4 from "effect-4/Effect"
import * as Layer4 from "effect-4/Layer"
import * as Logger4 from "effect-4/Logger"
import * as ManagedRuntime4 from "effect-4/ManagedRuntime"
import * as Metric4 from "effect-4/Metric"
import * as Redacted4 from "effect-4/Redacted"
import * as References4 from "effect-4/References"
import * as SqlClient4 from "effect-4/sql/SqlClient"
import * as Tracer4 from "effect-4/Tracer"
import * as Effect3 from "effect/Effect"
import * as Layer3 from "effect/Layer"
import * as Logger3 from "effect/Logger"
import * as ManagedRuntime3 from "effect/ManagedRuntime"
import * as Metric3 from "effect/Metric"
import * as Redacted3 from "effect/Redacted"
import * as Tracer3 from "effect/Tracer"
import * as Client4 from "hookrail-4/HookrailClient"
import * as Transport4 from "hookrail-4/Transport"
import * as Client3 from "hookrail/HookrailClient"
import * as Transport3 from "hookrail/Transport"
import type Libsql from "libsql"
import * as Outbox3 from "../../src/effect-3.js"
import * as Outbox4 from "../../src/effect.js"
import type { Enqueued, OutboxEvent } from "../../src/index.js"
import type { LayerOptions } from "../../src/relay/bridge.js"
import type { RelayStats } from "../../src/relay/model.js"
import * as Libsql4 from "./libsql4.js"

export interface SpanSeen {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parent: string | undefined
  readonly links: ReadonlyArray<string>
}

export interface Line {
  /** In a transaction, within a span. */
  readonly enqueue: (event: OutboxEvent, options?: { readonly propagateTrace?: boolean }) => Promise<Enqueued>
  readonly enqueueAndFail: (event: OutboxEvent) => Promise<void>
  readonly enqueueOutside: (event: OutboxEvent) => Promise<unknown>
  readonly wake: () => Promise<void>
  readonly stats: () => Promise<RelayStats>
  /** By name, of this destination. */
  readonly metrics: () => Promise<Readonly<Record<string, number>>>
  readonly spans: Array<SpanSeen>
  readonly logs: Array<string>
  readonly close: () => Promise<void>
}

export interface LineOptions {
  readonly database: { readonly file: string; readonly db: Libsql.Database } | { readonly postgres: string }
  readonly url: string
  readonly relay: LayerOptions
}

let ids = 0
const hex = (digits: number): string => (++ids).toString(16).padStart(digits, "0")

/** What both tracers make. */
const spanOf = (
  spans: Array<SpanSeen>,
  name: string,
  parent: string | undefined,
  links: ReadonlyArray<{ readonly span: { readonly spanId: string } }>
) => {
  const made = {
    _tag: "Span" as const,
    name,
    spanId: hex(16),
    traceId: hex(32),
    sampled: true,
    status: { _tag: "Started" as const, startTime: BigInt(0) },
    attributes: new Map<string, unknown>(),
    links: [...links] as Array<never>,
    end: () => {},
    attribute: () => {},
    event: () => {},
    addLinks: () => {}
  }
  spans.push({ name, spanId: made.spanId, traceId: made.traceId, parent, links: links.map(({ span }) => span.spanId) })
  return made
}

const rejected = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => undefined, (error: unknown) => error)

export const line3 = async ({ database, relay, url }: LineOptions): Promise<Line> => {
  const spans: Array<SpanSeen> = []
  const logs: Array<string> = []
  const tracer = Tracer3.make({
    span: (name, parent, context, links, _, kind) => ({
      ...spanOf(spans, name, parent._tag === "Some" ? parent.value.spanId : undefined, links),
      parent,
      context,
      kind
    }),
    context: (f) => f()
  })
  const logger = Logger3.make(({ annotations, message }) => logs.push(JSON.stringify([message, [...annotations]])))
  const watching = Layer3.mergeAll(Layer3.setTracer(tracer), Logger3.replace(Logger3.defaultLogger, logger))
  const sql: Layer3.Layer<SqlClient3.SqlClient, unknown> = "postgres" in database
    ? PgClient3.layer({ url: Redacted3.make(database.postgres) })
    : LibsqlClient.layer({ url: `file:${database.file}` })
  const live = Outbox3.Relay.layer(relay).pipe(
    Layer3.provide(
      Client3.layer({ apiKey: Redacted3.make("hk_test"), baseUrl: url }).pipe(Layer3.provide(Transport3.layerFetch))
    ),
    Layer3.provideMerge(sql),
    Layer3.provideMerge(watching)
  )
  const runtime = ManagedRuntime3.make(live)
  await runtime.runtime()
  const transaction = <A, E, R>(effect: Effect3.Effect<A, E, R>) =>
    Effect3.flatMap(SqlClient3.SqlClient, (sql) => sql.withTransaction(effect))
  return {
    enqueue: (event, options) =>
      runtime.runPromise(transaction(Outbox3.enqueue(event, options)).pipe(Effect3.withSpan("place"))),
    enqueueAndFail: async (event) => {
      await rejected(runtime.runPromise(transaction(Effect3.zipRight(Outbox3.enqueue(event), Effect3.fail("no")))))
    },
    enqueueOutside: (event) => runtime.runPromise(Effect3.flip(Outbox3.enqueue(event))),
    wake: () => runtime.runPromise(Effect3.flatMap(Outbox3.Relay.Relay, ({ wake }) => wake)),
    stats: () => runtime.runPromise(Effect3.flatMap(Outbox3.Relay.Relay, ({ stats }) => stats)),
    metrics: async () =>
      Object.fromEntries(
        Metric3.unsafeSnapshot()
          .filter(({ metricKey }) => metricKey.tags.some(({ value }) => value === relay.destination))
          .map(({ metricKey, metricState }) => {
            const { count, value } = metricState as { readonly count?: number; readonly value?: number }
            return [metricKey.name, count ?? value ?? NaN]
          })
      ),
    spans,
    logs,
    close: () => runtime.dispose()
  }
}

export const line4 = async ({ database, relay, url }: LineOptions): Promise<Line> => {
  const spans: Array<SpanSeen> = []
  const logs: Array<string> = []
  const tracer = Tracer4.make({
    span: ({ annotations, kind, links, name, parent }) => ({
      ...spanOf(spans, name, parent._tag === "Some" ? parent.value.spanId : undefined, links),
      parent,
      annotations,
      kind
    })
  })
  const logger = Logger4.make(({ fiber, message }) =>
    logs.push(JSON.stringify([message, Object.entries(fiber.getRef(References4.CurrentLogAnnotations))]))
  )
  const sql: Layer4.Layer<SqlClient4.SqlClient, unknown> = "postgres" in database
    ? PgClient4.layer({ url: Redacted4.make(database.postgres) })
    : Libsql4.layer(database.db)
  const live = Outbox4.Relay.layer(relay).pipe(
    Layer4.provide(
      Client4.layer({ apiKey: Redacted4.make("hk_test"), baseUrl: url }).pipe(Layer4.provide(Transport4.layerFetch))
    ),
    Layer4.provideMerge(sql),
    Layer4.provideMerge(Layer4.mergeAll(Layer4.succeed(Tracer4.Tracer, tracer), Logger4.layer([logger])))
  )
  const runtime = ManagedRuntime4.make(live)
  await runtime.context()
  const transaction = <A, E, R>(effect: Effect4.Effect<A, E, R>) =>
    Effect4.flatMap(SqlClient4.SqlClient, (sql) => sql.withTransaction(effect))
  return {
    enqueue: (event, options) =>
      runtime.runPromise(transaction(Outbox4.enqueue(event, options)).pipe(Effect4.withSpan("place"))),
    enqueueAndFail: async (event) => {
      await rejected(runtime.runPromise(transaction(Effect4.andThen(Outbox4.enqueue(event), Effect4.fail("no")))))
    },
    enqueueOutside: (event) => runtime.runPromise(Effect4.flip(Outbox4.enqueue(event))),
    wake: () => runtime.runPromise(Effect4.flatMap(Outbox4.Relay.Relay, ({ wake }) => wake)),
    stats: () => runtime.runPromise(Effect4.flatMap(Outbox4.Relay.Relay, ({ stats }) => stats)),
    metrics: async () => {
      const snapshot = await runtime.runPromise(Metric4.snapshot)
      return Object.fromEntries(
        snapshot
          .filter(({ attributes }) => attributes?.destination === relay.destination)
          .map(({ id, state }) => {
            const { count, value } = state as { readonly count?: number; readonly value?: number }
            return [id, count ?? value ?? NaN]
          })
      )
    },
    spans,
    logs,
    close: () => runtime.dispose()
  }
}
