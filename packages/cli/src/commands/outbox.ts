/** Looks after an outbox in the user's own database. Nothing it prints holds a payload. */
import {
  blockedKeys,
  discardEvent,
  listEvents,
  migrate,
  migrationSql,
  outboxStats,
  retryEvent,
  schemaStatus
} from "@hookrail/outbox"
import { openDatabase } from "@hookrail/outbox/inner/command/database"
import type { Run } from "../base/context.js"
import { exitCodes, Failure, usage } from "../base/exit.js"

interface Names {
  readonly schema: string | undefined
  readonly prefix: string | undefined
}

interface Open extends Names {
  readonly database: string | undefined
  readonly destination: string | undefined
}

type Database = Awaited<ReturnType<typeof openDatabase>>

const names = ({ prefix, schema }: Names): Names => ({ schema, prefix })

/** Errors of the outbox say what to do; of the driver's own only the code is shown, as its words may hold data. */
const failureOf = (error: unknown): unknown => {
  const { _tag, advice, code, operation, message } = Object(error) as Readonly<Record<string, unknown>>
  if (_tag === "OutboxConfigError") return usage(String(message))
  if (_tag === "DatabaseError") {
    const text = `${String(operation)} failed in the database${code === undefined ? "" : ` (${String(code)})`}`
    return new Failure(exitCodes.unreachable, advice === undefined ? text : `${text}: ${String(advice)}`, { tag: _tag })
  }
  return typeof _tag === "string" ? new Failure(exitCodes.failed, String(message), { tag: _tag }) : error
}

const using = <Input extends Open>(
  use: (input: Input, database: Database["executor"]) => Promise<number | void>,
  { create = false }: { readonly create?: boolean } = {}
) =>
async (input: Input, env: Readonly<Record<string, string | undefined>>): Promise<number | void> => {
  try {
    const database = await openDatabase(input.database ?? env.HOOKRAIL_DATABASE_URL, { prepare: false, create })
    try {
      return await use(input, database.executor)
    } finally {
      await database.close()
    }
  } catch (error) {
    throw failureOf(error)
  }
}

export const status: Run<Open> = (input, { env, out }) =>
  using<Open>(async ({ destination }, executor) => {
    const { needed, state, version } = await schemaStatus(executor, names(input))
    const stats = state === "current" ? await outboxStats(executor, { ...names(input), destination }) : undefined
    out.data({ tables: state, version, needed, ...stats }, () =>
      [
        `tables      ${state}${version === undefined ? "" : `, version ${version}`}`,
        ...(stats === undefined ? [] : [
          `waiting     ${stats.pending}, the oldest for ${Math.round(stats.oldestAgeMs / 1000)} s`,
          `parked      ${stats.parked}, which block ${stats.blockedKeys} ordering keys`,
          `dead        ${stats.dead}`
        ])
      ].join("\n"))
    if (state === "current") return exitCodes.ok
    throw new Failure(
      exitCodes.failed,
      state === "newer"
        ? "a newer version of @hookrail/outbox made the tables: update this command"
        : "the tables are not those that are needed: run \"hookrail outbox migrate\", or \"hookrail outbox sql\" for another tool"
    )
  })(input, env)

export const migrateTables: Run<Open> = (input, { env, out }) =>
  using<Open>(async (_, executor) => {
    const { applied } = await migrate(executor, names(input))
    out.data({ applied }, () => applied.length === 0 ? "the tables are up to date" : `applied ${applied.join(", ")}`)
    // Of a file that is not there, only this makes one: elsewhere it is a mistake in the path.
  }, { create: true })(input, env)

export interface SqlInput extends Names {
  readonly dialect: "postgres" | "sqlite"
  readonly from: number | undefined
  readonly separator: string | undefined
}

export const sql: Run<SqlInput> = async (input, { out }) => {
  try {
    const text = migrationSql({ ...names(input), dialect: input.dialect, from: input.from, separator: input.separator })
    out.data({ sql: text }, () => text.trimEnd())
  } catch (error) {
    throw failureOf(error)
  }
}

export interface ListInput extends Open {
  readonly state: "waiting" | "parked" | "dead"
  readonly after: number | undefined
  readonly limit: number | undefined
}

export const list: Run<ListInput> = (input, { env, out }) =>
  using<ListInput>(async ({ after, destination, limit, state }, executor) => {
    out.rows(await listEvents(executor, { ...names(input), destination, state, after, limit }), {
      seq: ({ seq }) => String(seq),
      key: ({ idempotencyKey }) => idempotencyKey,
      topic: ({ topic }) => topic,
      "ordering key": ({ orderingKey }) => orderingKey,
      attempts: ({ attempts }) => String(attempts),
      reason: ({ lastError, reason }) => reason ?? lastError,
      created: ({ createdAt }) => new Date(createdAt).toISOString()
    }, `no event is ${state}`)
  })(input, env)

export const blocked: Run<Open & { readonly limit: number | undefined }> = (input, { env, out }) =>
  using<Open & { readonly limit: number | undefined }>(async ({ destination, limit }, executor) => {
    const rows = await blockedKeys(executor, { ...names(input), destination, limit })
    const columns = Object.keys(rows[0] ?? {})
    out.rows(
      rows,
      Object.fromEntries(columns.map((name) => [name, (row: object) => {
        const value = (row as Readonly<Record<string, unknown>>)[name]
        return value === undefined ? undefined : String(value)
      }])),
      "no ordering key is blocked"
    )
  })(input, env)

export interface DecideInput extends Open {
  readonly key: string
}

const decide = (decision: typeof retryEvent, word: string): Run<DecideInput> => (input, { env, out }) =>
  using<DecideInput>(async ({ destination, key }, executor) => {
    if (!await decision(executor, key, { ...names(input), destination })) {
      throw new Failure(
        exitCodes.notFound,
        `there is no parked or dead event with the key ${JSON.stringify(key)} at ${
          JSON.stringify(destination ?? "default")
        }: ` +
          "see \"hookrail outbox list\""
      )
    }
    out.data({ key, done: word }, () => `${key} is ${word}`)
  })(input, env)

export const retry = decide(retryEvent, "sent again")
export const discard = decide(discardEvent, "discarded")
