/** The rest is tested with Effect 3: `effect.test.ts`. Here is what may differ; relays are in `layer.test.ts`. */
import * as PgClient from "@effect/sql-pg-4/PgClient"
import * as Cause from "effect-4/Cause"
import * as Deferred from "effect-4/Deferred"
import * as Duration from "effect-4/Duration"
import * as Effect from "effect-4/Effect"
import * as Exit from "effect-4/Exit"
import * as Fiber from "effect-4/Fiber"
import type * as Layer from "effect-4/Layer"
import * as Redacted from "effect-4/Redacted"
import * as Schema from "effect-4/Schema"
import * as SqlClient from "effect-4/sql/SqlClient"
import * as DeliveryLog from "hookrail-4/DeliveryLog"
import * as Event from "hookrail-4/Event"
import * as Topic from "hookrail-4/Topic"
import { assert, describe, it } from "vitest"
import * as Outbox from "../src/effect.js"
import { KeyConflictError, listEvents, migrate, SchemaError, TransactionRequiredError } from "../src/index.js"
import { server, sqliteFile } from "./utils/engines.js"
import * as Libsql4 from "./utils/libsql4.js"
import { createDatabase } from "./utils/postgres.js"

const clients: Readonly<Record<string, () => Promise<Layer.Layer<SqlClient.SqlClient, unknown>>>> = {
  Postgres: async () => {
    const url = await createDatabase(server!, `e4_${process.pid}_${Math.random().toString(36).slice(2)}`)
    return PgClient.layer({ url: Redacted.make(url), maxConnections: 5 })
  },
  SQLite: async () => Libsql4.layer(sqliteFile().db)
}

const transaction = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(effect))

const Paid = Topic.make("orders.paid", Schema.Struct({ at: Schema.DateFromString }))

for (const [name, open] of Object.entries(clients)) {
  const run = async <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>): Promise<A> =>
    Effect.runPromise(
      Effect.andThen(Outbox.use((executor) => migrate(executor)), effect).pipe(Effect.provide(await open()))
    )

  describe.skipIf(name === "Postgres" && server === undefined)(`in Effect 4, over ${name}`, () => {
    it("an event is there if and only if the transaction commits", () =>
      run(Effect.gen(function*() {
        assert.instanceOf(yield* Effect.flip(Outbox.enqueue(Event.make("t", 1))), TransactionRequiredError)
        yield* Effect.flip(transaction(Effect.andThen(Outbox.enqueue(Event.make("t", 2)), Effect.fail("no"))))
        const enqueued = yield* Deferred.make<void>()
        const interrupted = yield* Effect.forkChild(transaction(
          Outbox.enqueue(Event.make("t", 3)).pipe(
            Effect.andThen(Deferred.succeed(enqueued, undefined)),
            Effect.andThen(Effect.never)
          )
        ))
        yield* Deferred.await(enqueued)
        yield* Fiber.interrupt(interrupted)
        yield* transaction(Outbox.enqueueMany([4, 5].map((n) => Event.make("t", n, { orderingKey: "k" }))))
        const sql = yield* SqlClient.SqlClient
        const rows = yield* sql<{ readonly body: Uint8Array }>`select body from hookrail_outbox order by seq`
        assert.deepStrictEqual(rows.map(({ body }) => JSON.parse(new TextDecoder().decode(body)).payload), [4, 5])
      })))

    it("encodes typed topics, fixes a key, and refuses what cannot be sent", () =>
      run(Effect.gen(function*() {
        yield* transaction(Outbox.enqueue(Event.make(Paid, { at: new Date(0) }, { orderingKey: "k" })))
        const [event] = yield* Outbox.use((executor) => listEvents(executor, { state: "waiting" }))
        assert.deepInclude(event, { topic: "orders.paid", orderingKey: "k" })
        assert.match(event!.idempotencyKey, /^[\da-f]{8}-[\da-f]{4}-7/)
        const sql = yield* SqlClient.SqlClient
        const [row] = yield* sql<{ readonly body: Uint8Array }>`select body from hookrail_outbox`
        assert.strictEqual(
          new TextDecoder().decode(row!.body),
          "{\"topic\":\"orders.paid\",\"payload\":{\"at\":\"1970-01-01T00:00:00.000Z\"}}"
        )
        const invalid = yield* Effect.flip(transaction(Outbox.enqueue(Event.make("t", NaN))))
        assert.strictEqual((invalid as { readonly _tag: string })._tag, "InvalidPayloadError")
      })))

    it("a failure in the database is a defect", () =>
      run(Effect.gen(function*() {
        const event = (payload: number) => Event.make("t", payload, { idempotencyKey: "k" })
        yield* transaction(Outbox.enqueue(event(1)))
        const conflict = yield* Effect.exit(transaction(Effect.ignore(Outbox.enqueue(event(2)))))
        assert.isTrue(Exit.hasDies(conflict))
        const error = yield* Effect.flip(
          Effect.catchDefect(transaction(Outbox.enqueue(event(2))), (defect) => Effect.fail(defect))
        )
        assert.instanceOf(error, KeyConflictError)
        const missing = yield* Effect.exit(transaction(Outbox.enqueue(event(3), { prefix: "other_" })))
        assert.instanceOf(Exit.isFailure(missing) && Cause.squash(missing.cause), SchemaError)
      })))

    it("handles a delivery once in its transaction, and logs deliveries", () =>
      run(
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table accounts (balance int)`
          yield* sql`insert into accounts values (0)`
          const add = sql`update accounts set balance = balance + 1`
          yield* Effect.flip(Outbox.processInTransaction("d", Effect.andThen(add, Effect.fail("no"))))
          const once = Outbox.processInTransaction("d", Effect.as(add, "paid"))
          assert.deepStrictEqual(yield* once, { status: "handled", result: "paid" })
          assert.deepStrictEqual(yield* once, { status: "duplicate" })
          assert.deepStrictEqual(yield* sql`select balance from accounts`, [{ balance: 1 }])
          const log = yield* DeliveryLog.DeliveryLog
          const claim = yield* log.claim("x", Duration.minutes(1))
          assert.strictEqual(claim._tag, "Claimed")
          yield* log.done("x", (claim as { readonly token: string }).token)
          assert.deepStrictEqual(yield* log.claim("x", Duration.minutes(1)), { _tag: "Done" })
        }).pipe(Effect.provide(Outbox.layerDeliveryLog()))
      ))
  })
}
