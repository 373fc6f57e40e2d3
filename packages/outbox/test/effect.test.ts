import { SqlClient } from "@effect/sql"
import { LibsqlClient } from "@effect/sql-libsql"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Layer, Redacted, Schema } from "effect"
import { DeliveryLog, Event, Topic } from "hookrail"
import * as Outbox from "../src/effect-3.js"
import {
  InvalidEventError,
  KeyConflictError,
  listEvents,
  migrate,
  SchemaError,
  TransactionRequiredError
} from "../src/index.js"
import { server, sqliteFile } from "./utils/engines.js"
import { createDatabase } from "./utils/postgres.js"

const clients = {
  Postgres: () =>
    Layer.unwrapEffect(
      Effect.map(
        Effect.promise(() => createDatabase(server!, `e_${process.pid}_${Math.random().toString(36).slice(2)}`)),
        (url) => PgClient.layer({ url: Redacted.make(url), maxConnections: 5 })
      )
    ),
  SQLite: () => LibsqlClient.layer({ url: `file:${sqliteFile().file}` })
}

const Paid = Topic.make("orders.paid", Schema.Struct({ at: Schema.Date }))
const webhook = { deliveryId: "d", eventId: "e", topic: "orders.paid" }

for (const [name, layer] of Object.entries(clients)) {
  const run = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
    Effect.zipRight(Outbox.use((executor) => migrate(executor)), effect).pipe(Effect.provide(layer()), Effect.orDie)

  const transaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(effect))

  const waiting = Outbox.use((executor) => listEvents(executor, { state: "waiting" }))

  describe.skipIf(name === "Postgres" && server === undefined)(`in Effect, over ${name}`, () => {
    it.live("an event is there if and only if the transaction commits", () =>
      run(Effect.gen(function*() {
        yield* transaction(Outbox.enqueue(Event.make(Paid, { at: new Date(0) }, { orderingKey: "k" })))
        yield* transaction(Effect.zipRight(Outbox.enqueue(Event.make("t", 1)), Effect.fail("no"))).pipe(Effect.flip)
        const enqueued = yield* Deferred.make<void>()
        const interrupted = yield* Effect.fork(transaction(
          Outbox.enqueue(Event.make("t", 2)).pipe(
            Effect.zipRight(Deferred.succeed(enqueued, undefined)),
            Effect.zipRight(Effect.never)
          )
        ))
        yield* Deferred.await(enqueued)
        yield* Fiber.interrupt(interrupted)
        const events = yield* waiting
        assert.lengthOf(events, 1)
        const event = events[0]!
        assert.deepInclude(event, { topic: "orders.paid", orderingKey: "k", destination: "default" })
        assert.match(event.idempotencyKey, /^[\da-f]{8}-[\da-f]{4}-7/)
        const sql = yield* SqlClient.SqlClient
        const [row] = yield* sql<{ readonly body: Uint8Array }>`select body from hookrail_outbox`
        assert.strictEqual(
          new TextDecoder().decode(row!.body),
          "{\"topic\":\"orders.paid\",\"payload\":{\"at\":\"1970-01-01T00:00:00.000Z\"}}"
        )
      })))

    it.live("the span around it is stored with the event", () =>
      run(Effect.gen(function*() {
        const { spanId, traceId } = yield* transaction(
          Effect.zipRight(Outbox.enqueue(Event.make("t", 1)), Effect.currentSpan)
        ).pipe(Effect.withSpan("place"))
        const sql = yield* SqlClient.SqlClient
        const [row] = yield* sql<{ readonly traceparent: string }>`select traceparent from hookrail_outbox`
        const [, trace, span] = row!.traceparent.split("-")
        assert.strictEqual(trace, traceId)
        assert.lengthOf(span!, 16)
        assert.isString(spanId)
      })))

    it.live("outside of a transaction, and with what cannot be sent, it fails, and nothing is stored", () =>
      run(Effect.gen(function*() {
        assert.instanceOf(yield* Effect.flip(Outbox.enqueue(Event.make("t", 1))), TransactionRequiredError)
        const invalid = yield* Effect.flip(transaction(Outbox.enqueueMany([Event.make("t", 1), Event.make("t", NaN)])))
        assert.strictEqual((invalid as { readonly _tag: string })._tag, "InvalidPayloadError")
        const encoded = yield* Event.encode(Event.make("t", 1))
        const foreign = yield* Effect.flip(transaction(Outbox.enqueue({ ...encoded, topic: "u" })))
        assert.instanceOf(foreign, InvalidEventError)
        yield* transaction(Outbox.enqueue(encoded))
        assert.lengthOf(yield* waiting, 1)
      })))

    it.live("a failure in the database is a defect, so that nobody commits what is rolled back", () =>
      run(Effect.gen(function*() {
        const event = (payload: number) => Event.make("t", payload, { idempotencyKey: "k" })
        yield* transaction(Outbox.enqueue(event(1)))
        const conflict = yield* Effect.exit(transaction(Effect.ignore(Outbox.enqueue(event(2)))))
        assert.isTrue(Exit.isFailure(conflict) && Cause.squash(conflict.cause) instanceof KeyConflictError)
        const missing = yield* Effect.exit(transaction(Outbox.enqueue(event(3), { prefix: "other_" })))
        assert.isTrue(Exit.isFailure(missing) && Cause.squash(missing.cause) instanceof SchemaError)
        assert.lengthOf(yield* waiting, 1)
      })))

    it.live("a delivery is handled once in its transaction, again after a failure", () =>
      run(Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table accounts (balance int)`
        yield* sql`insert into accounts values (0)`
        const add = sql`update accounts set balance = balance + 1`
        yield* Effect.flip(Outbox.processInTransaction(webhook, Effect.zipRight(add, Effect.fail("no"))))
        const results = yield* Effect.all(
          Array.from({ length: 5 }, () => Outbox.processInTransaction(webhook, Effect.as(add, "paid"))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(results.filter(({ status }) => status === "handled"), [{
          status: "handled",
          result: "paid"
        }])
        assert.deepStrictEqual(yield* sql`select balance from accounts`, [{ balance: 1 }])
      })))

    it.live("the log of deliveries is the one of the database", () =>
      run(
        Effect.gen(function*() {
          const log = yield* DeliveryLog.DeliveryLog
          const claim = yield* log.claim("d", Duration.minutes(1))
          assert.strictEqual(claim._tag, "Claimed")
          const { token } = claim as { readonly token: string }
          assert.deepStrictEqual(yield* log.claim("d", Duration.minutes(1)), { _tag: "Running" })
          assert.isTrue(yield* log.renew("d", token, Duration.minutes(1)))
          yield* log.done("d", token)
          assert.deepStrictEqual(yield* log.claim("d", Duration.minutes(1)), { _tag: "Done" })
          yield* log.release("d", token)
          if (name === "Postgres") {
            // Built in a transaction, it does not use its connection: the claim holds though the transaction is rolled back.
            yield* Effect.flip(transaction(Effect.gen(function*() {
              const inner = yield* Effect.provide(DeliveryLog.DeliveryLog, Outbox.layerDeliveryLog())
              yield* inner.claim("x", Duration.minutes(1))
              return yield* Effect.fail("no")
            })))
            assert.deepStrictEqual(yield* log.claim("x", Duration.minutes(1)), { _tag: "Running" })
          }
          const sql = yield* SqlClient.SqlClient
          yield* sql`drop table hookrail_inbox`
          const error = yield* Effect.flip(log.claim("d", Duration.minutes(1)))
          assert.strictEqual(error._tag, "DeliveryLogError")
          assert.instanceOf(error.cause, SchemaError)
        }).pipe(Effect.provide(Outbox.layerDeliveryLog()))
      ))
  })
}
