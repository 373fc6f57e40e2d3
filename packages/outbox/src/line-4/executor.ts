/** The executor of a client of `effect/sql`. */
import * as Cause from "effect-4/Cause"
import * as Context from "effect-4/Context"
import * as Effect from "effect-4/Effect"
import * as Exit from "effect-4/Exit"
import * as SqlClient from "effect-4/sql/SqlClient"
import * as Tracer from "effect-4/Tracer"
import { OutboxConfigError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import type { Dialect, Row } from "../sql/dialect.js"

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
  const context = yield* Effect.context<never>()
  return {
    dialect,
    inTransaction: () => context.mapUnsafe.has(sql.transactionService.key),
    execute: async (text, params) => {
      const exit = await Effect.runPromiseExitWith(context)(sql.unsafe<Row>(text, params))
      if (Exit.isSuccess(exit)) return exit.value
      // The error itself, not what `runPromise` wraps around it: it has the driver's error as its cause.
      throw Cause.squash(exit.cause)
    }
  }
})

/** Without what belongs to whoever builds a layer: a transaction, a span. */
const outside = <R>(context: Context.Context<R>, sql: SqlClient.SqlClient): Context.Context<R> =>
  Context.omit(Tracer.ParentSpan, sql.transactionService)(context) as Context.Context<R>

/** For what outlives the program that makes it. */
export const executorOutside: Effect.Effect<Executor, never, SqlClient.SqlClient> = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.updateContext(executor, (context: Context.Context<SqlClient.SqlClient>) => outside(context, sql))
)

/** The same for effects that it runs. */
export const runtimeOutside: Effect.Effect<Context.Context<never>, never, SqlClient.SqlClient> = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.map(Effect.context<never>(), (context) => outside(context, sql))
)
