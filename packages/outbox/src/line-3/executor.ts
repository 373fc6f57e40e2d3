/** The executor of a client of `@effect/sql`. */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Tracer from "effect/Tracer"
import { OutboxConfigError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import type { Dialect, Row } from "../sql/dialect.js"

/** Where clients keep the connection of a transaction. */
const transactionTags = [
  SqlClient.TransactionConnection.key,
  "@effect/sql-libsql/LibsqlClient/LibsqlTransaction"
]

const dialectOf = (sql: SqlClient.SqlClient): Effect.Effect<Dialect> =>
  sql.onDialectOrElse({
    pg: () => Effect.succeed<Dialect>("postgres"),
    sqlite: () => Effect.succeed<Dialect>("sqlite"),
    orElse: () => Effect.die(new OutboxConfigError({ option: "SqlClient", reason: "must be of Postgres or SQLite" }))
  })

/** Runs statements in the context of whoever made it, its transaction and its span included. */
export const executor: Effect.Effect<Executor, never, SqlClient.SqlClient> = Effect.gen(function*() {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const dialect = yield* dialectOf(sql)
  const runtime = yield* Effect.runtime<never>()
  return {
    dialect,
    inTransaction: () => transactionTags.some((tag) => runtime.context.unsafeMap.has(tag)),
    execute: async (text, params) => {
      const exit = await Runtime.runPromiseExit(runtime)(sql.unsafe<Row>(text, params))
      if (Exit.isSuccess(exit)) return exit.value
      // The error itself, not what `runPromise` wraps around it: it has the driver's error as its cause.
      throw Cause.squash(exit.cause)
    }
  }
})

/** Without what belongs to whoever builds a layer: a transaction, a span. */
const outside = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.unsafeMake(
    new Map([...context.unsafeMap].filter(([tag]) => ![Tracer.ParentSpan.key, ...transactionTags].includes(tag)))
  )

/** For what outlives the program that makes it. */
export const executorOutside: Effect.Effect<Executor, never, SqlClient.SqlClient> = Effect.mapInputContext(
  executor,
  (context: Context.Context<SqlClient.SqlClient>) => outside(context)
)

/** The same for effects that it runs. */
export const runtimeOutside: Effect.Effect<Runtime.Runtime<never>, never, SqlClient.SqlClient> = Effect.mapInputContext(
  Effect.runtime<never>(),
  outside<never>
)
