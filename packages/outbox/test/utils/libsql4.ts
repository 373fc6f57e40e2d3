/** A client of `effect/sql` over libsql: there is no package with one for Effect 4 that runs on Node 20. */
import * as Effect from "effect-4/Effect"
import * as Layer from "effect-4/Layer"
import * as Reactivity from "effect-4/reactivity/Reactivity"
import * as Semaphore from "effect-4/Semaphore"
import * as SqlClient from "effect-4/sql/SqlClient"
import type * as SqlConnection from "effect-4/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect-4/sql/SqlError"
import * as Statement from "effect-4/sql/Statement"
import * as Stream from "effect-4/Stream"
import type Libsql from "libsql"

export const layer = (db: Libsql.Database): Layer.Layer<SqlClient.SqlClient> => {
  const all = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.try({
      try: (): ReadonlyArray<never> => {
        const statement = db.prepare(sql)
        if (statement.reader) return statement.all(...params) as Array<never>
        statement.run(...params)
        return []
      },
      catch: (cause) =>
        new SqlError({ reason: classifySqliteError(cause, { message: "failed", operation: "execute" }) })
    })
  const connection: SqlConnection.Connection = {
    execute: all,
    executeRaw: all,
    executeStream: (sql, params) => Stream.fromIterableEffect(all(sql, params)),
    executeValues: (sql, params) => Effect.map(all(sql, params), (rows) => rows.map((row) => Object.values(row))),
    executeValuesUnprepared: (sql, params) =>
      Effect.map(all(sql, params), (rows) => rows.map((row) => Object.values(row))),
    executeUnprepared: all
  }
  return Layer.effect(
    SqlClient.SqlClient,
    Effect.suspend(() =>
      SqlClient.make({
        ...SqlClient.makeSqliteAcquirers({
          connection: Effect.succeed(connection),
          semaphore: Semaphore.makeUnsafe(1),
          isTransaction: () => db.inTransaction
        }),
        compiler: Statement.makeCompilerSqlite(),
        driver: "libsql",
        spanAttributes: []
      })
    )
  ).pipe(Layer.provide(Reactivity.layer))
}
