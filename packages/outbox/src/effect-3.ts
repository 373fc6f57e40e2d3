/**
 * The outbox, the inbox and the relay over `@effect/sql`: thin adapters of the plain functions, which this module does not export
 * again.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as DeliveryLog from "hookrail/DeliveryLog"
import * as Event from "hookrail/Event"
import {
  DeliveryLogError,
  type InvalidArgumentError,
  type InvalidPayloadError,
  type PayloadTooLargeError
} from "hookrail/HookrailError"
import * as IdempotencyKeys from "hookrail/IdempotencyKeys"
import * as plain from "./enqueue/enqueue.js"
import { type EncodedEvent, uuidv7 } from "./enqueue/freeze.js"
import type { EnqueueOptions } from "./enqueue/options.js"
import { InvalidEventError, type OutboxError, TransactionRequiredError } from "./errors.js"
import type { Executor } from "./executor/model.js"
import type { DeliveryName, InboxOptions } from "./inbox/delivery.js"
import { isFirstDelivery, type Processed, requireIntact } from "./inbox/inbox.js"
import { deliveryLog } from "./inbox/log.js"
import { executor, executorOutside } from "./line-3/executor.js"

/**
 * The executor of the client in context, and of its transaction if there is one.
 *
 * @since 0.1.0
 * @category executors
 */
export { executor }

/**
 * Sends what is in the outbox.
 *
 * @since 0.1.0
 * @category relay
 */
export * as Relay from "./line-3/Relay.js"

/**
 * Runs one of the plain functions, such as `migrate` or `outboxStats`, over the client in context. What it rejects with is the
 * error.
 *
 * @example
 * import { migrate, outboxStats } from "@hookrail/outbox"
 * import * as Outbox from "@hookrail/outbox/effect-3"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Outbox.use((executor) => migrate(executor))
 *   const { oldestAgeMs } = yield* Outbox.use((executor) => outboxStats(executor))
 *   yield* Effect.log(oldestAgeMs)
 * })
 *
 * @since 0.1.0
 * @category executors
 */
export const use = <A>(
  run: (executor: Executor) => Promise<A>
): Effect.Effect<A, OutboxError, SqlClient.SqlClient> =>
  Effect.flatMap(executor, (it) => Effect.tryPromise({ try: () => run(it), catch: (error) => error as OutboxError }))

/**
 * Stores an event in the transaction around it: it is sent if and only if the transaction commits. The bytes and the key are fixed
 * here. Without a key of its own, the event gets the one of `IdempotencyKeys`, by default a new UUID (version 7). The span around
 * it is linked to the span of the send.
 *
 * A failure in the database is a defect: `KeyConflictError`, `SchemaError` or `DatabaseError`. If it could be caught, the
 * transaction would seem to succeed, though Postgres has rolled it back.
 *
 * @example
 * import * as Outbox from "@hookrail/outbox/effect-3"
 * import { SqlClient } from "@effect/sql"
 * import { Effect } from "effect"
 * import { Event } from "hookrail"
 *
 * const place = (order: { readonly id: string }) =>
 *   Effect.gen(function*() {
 *     const sql = yield* SqlClient.SqlClient
 *     yield* sql.withTransaction(Effect.gen(function*() {
 *       yield* sql`insert into orders ${sql.insert(order)}`
 *       yield* Outbox.enqueue(Event.make("orders.created", order, { orderingKey: order.id }))
 *     }))
 *   })
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const enqueue = (
  event: Event.EventInput | EncodedEvent,
  options?: EnqueueOptions
): Effect.Effect<plain.Enqueued, EnqueueError, SqlClient.SqlClient> =>
  Effect.flatMap(enqueueMany([event], options), ([enqueued]) => Effect.succeed(enqueued!))

/**
 * What an event can be refused for. Nothing was stored.
 *
 * @since 0.1.0
 * @category models
 */
export type EnqueueError =
  | InvalidPayloadError
  | InvalidArgumentError
  | PayloadTooLargeError
  | InvalidEventError
  | TransactionRequiredError

/**
 * Stores several events, in the order of their ordering keys, so that transactions with several keys do not block each other. All
 * are checked before the first one is stored.
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const enqueueMany = (
  events: Iterable<Event.EventInput | EncodedEvent>,
  options?: EnqueueOptions
): Effect.Effect<ReadonlyArray<plain.Enqueued>, EnqueueError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    const it = yield* executor
    if (it.inTransaction() === false) {
      return yield* Effect.fail(
        new TransactionRequiredError({ operation: "enqueue", hint: "Run it in sql.withTransaction." })
      )
    }
    const traceparent = yield* currentTraceparent
    const inPayload = options?.propagateTrace === true ? traceparent : undefined
    const encoded = yield* Effect.forEach(events, (event) => encode(event, inPayload))
    return yield* Effect.tryPromise({
      try: () => plain.enqueueMany(it, encoded.map((event) => ({ traceparent, ...event })), options),
      catch: (error) => error
    }).pipe(Effect.catchAll((error) => error instanceof InvalidEventError ? Effect.fail(error) : Effect.die(error)))
  })

const encode = (
  event: Event.EventInput | EncodedEvent,
  traceparent: string | undefined
): Effect.Effect<EncodedEvent, InvalidPayloadError | InvalidArgumentError | PayloadTooLargeError> =>
  "body" in event
    ? Effect.succeed(event)
    : Effect.flatMap(IdempotencyKeys.IdempotencyKeys, (keys) =>
      // Keys that grow with time are neighbours in the index.
      Event.encode(
        event.idempotencyKey === undefined
          ? {
            traceparent,
            ...event,
            idempotencyKey: keys === IdempotencyKeys.random ? uuidv7() : undefined
          }
          : event
      ))

const currentTraceparent: Effect.Effect<string | undefined> = Effect.map(
  Effect.option(Effect.currentSpan),
  Option.match({
    onNone: () => undefined,
    onSome: ({ sampled, spanId, traceId }) =>
      /^[\da-f]{32}$/.test(traceId) && /^[\da-f]{16}$/.test(spanId)
        ? `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`
        : undefined
  })
)

/**
 * Handles a delivery in a transaction that also records it: what the handler changes through the `SqlClient` is changed once,
 * however often the delivery comes, and whatever crashes. If the handler fails, all is rolled back, and the next delivery runs it
 * again.
 *
 * It replaces the delivery log of the webhooks: provide `DeliveryLog.layerNone`.
 *
 * @example
 * import * as Outbox from "@hookrail/outbox/effect-3"
 * import { SqlClient } from "@effect/sql"
 * import { Effect } from "effect"
 * import { Webhooks } from "hookrail"
 *
 * const onPaid = Webhooks.on("orders.paid", (webhook) =>
 *   Outbox.processInTransaction(
 *     webhook,
 *     Effect.flatMap(SqlClient.SqlClient, (sql) => sql`update accounts set balance = balance + 1`)
 *   ))
 *
 * @since 0.1.0
 * @category inbox
 */
export const processInTransaction = <A, E, R>(
  delivery: DeliveryName | string,
  handler: Effect.Effect<A, E, R>,
  options?: InboxOptions
): Effect.Effect<Processed<A>, E | SqlError | OutboxError, R | SqlClient.SqlClient> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql.withTransaction(Effect.gen(function*() {
      const isFirst = yield* use((it) => isFirstDelivery(it, delivery, options))
      if (!isFirst) return { status: "duplicate" } as const
      const result = yield* handler
      yield* use((it) => requireIntact(it, options))
      return { status: "handled", result } as const
    })))

/**
 * A log of deliveries in the database, for handlers with effects outside of it. Leases are by the database's clock.
 *
 * @since 0.1.0
 * @category inbox
 */
export const layerDeliveryLog = (
  options?: InboxOptions
): Layer.Layer<DeliveryLog.DeliveryLog, never, SqlClient.SqlClient> =>
  Layer.effect(
    DeliveryLog.DeliveryLog,
    Effect.map(executorOutside, (it): DeliveryLog.Service => {
      const log = deliveryLog(it, options)
      const attempt = <A>(operation: DeliveryLogError["operation"], deliveryId: string, run: () => Promise<A>) =>
        Effect.tryPromise({
          try: run,
          catch: (cause) => new DeliveryLogError({ operation, deliveryId, cause })
        })
      return {
        claim: (delivery, lease) =>
          Effect.map(
            attempt("claim", delivery, () => log.claim(delivery, Duration.toMillis(lease))),
            (claim): DeliveryLog.Claim =>
              claim.status === "claimed"
                ? { _tag: "Claimed", token: claim.token }
                : { _tag: claim.status === "running" ? "Running" : "Done" }
          ),
        renew: (delivery, token, lease) =>
          attempt("renew", delivery, () => log.renew(delivery, token, Duration.toMillis(lease))),
        done: (delivery, token) => attempt("done", delivery, () => log.done(delivery, token)),
        release: (delivery, token) => attempt("release", delivery, () => log.release(delivery, token))
      }
    })
  )
