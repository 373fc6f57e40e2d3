/** Creates the tables, and tells whether they are there. Nothing else here ever does. */
import { checkDialect, checkExecutor, checkNames } from "../check.js"
import { SchemaError } from "../errors.js"
import { failureOf } from "../executor/failure.js"
import type { Executor } from "../executor/model.js"
import { type Dialect, type Row, statement, type Value } from "../sql/dialect.js"
import { type Names, namesOf, type NamesOptions, namesOptions } from "../sql/names.js"
import { currentVersion, migrationsOf, recordVersion, versionTable } from "../sql/schema.js"
import { numberOrNull } from "../sql/values.js"

/** Runs a statement; its failure says what to do. */
export const run = async (
  executor: Executor,
  names: Names,
  operation: string,
  sql: string,
  params: ReadonlyArray<Value> = []
): Promise<ReadonlyArray<Row>> => {
  checkExecutor(executor)
  const made = statement(executor.dialect, sql, params)
  try {
    return await executor.execute(made.sql, made.params)
  } catch (cause) {
    throw failureOf(operation, cause, names)
  }
}

/**
 * What tables there are.
 *
 * @since 0.1.0
 * @category models
 */
export interface SchemaStatus {
  /** `missing`: there are none; `older`: run `migrate`; `newer`: a newer version of this package made them. */
  readonly state: "missing" | "older" | "current" | "newer"
  readonly version: number | undefined
  /** The version that this package needs. */
  readonly needed: number
}

/**
 * Tells which version the tables have. It changes nothing.
 *
 * @since 0.1.0
 * @category migrations
 */
export const schemaStatus = async (executor: Executor, options: NamesOptions = {}): Promise<SchemaStatus> => {
  checkExecutor(executor)
  checkNames(options, namesOptions)
  const names = namesOf(options)
  const operation = "Reading the version of the tables"
  const needed = currentVersion
  // Asked in a way that does not fail: a failed statement would spoil the transaction around it.
  const found = executor.dialect === "postgres"
    ? await run(executor, names, operation, "select 1 as found where to_regclass($1::text) is not null", [
      names.version
    ])
    : await run(
      executor,
      names,
      operation,
      `select 1 as found from ${names.schema === undefined ? "" : `${names.schema}.`}sqlite_master where name = $1`,
      [`${names.prefix}schema`]
    )
  if (found.length === 0) return { state: "missing", version: undefined, needed }
  const [row] = await run(executor, names, operation, `select max(version) as version from ${names.version}`)
  const version = row === undefined ? undefined : numberOrNull(row, "version")
  if (version === undefined) return { state: "missing", version, needed }
  return { state: version < needed ? "older" : version > needed ? "newer" : "current", version, needed }
}

/**
 * Rejects with a `SchemaError` unless the tables have the version that this package needs. For the start of a program.
 *
 * @since 0.1.0
 * @category migrations
 */
export const requireSchema = async (executor: Executor, options: NamesOptions = {}): Promise<void> => {
  const { needed, state, version } = await schemaStatus(executor, options)
  if (state !== "current") throw new SchemaError({ problem: state, version, needed, table: namesOf(options).outbox })
}

/** All statements from one version to the current one. */
const statements = (dialect: Dialect, names: Names, from: number): ReadonlyArray<string> => [
  versionTable(dialect, names),
  ...migrationsOf(dialect)
    .filter(({ version }) => version > from)
    .flatMap((migration) => [...migration.statements(names), recordVersion(names, migration.version)])
]

/** So that two programs that start at the same time do not both create a table. */
const migrationLock = "7310034283826791713"

/**
 * Brings the tables to the version that this package needs; does nothing if they have it. Several programs may do this at the
 * same time. In Postgres it is one statement, so all or nothing. Resolves with the versions that were applied.
 *
 * Rejects with a `SchemaError` if a newer version of this package made the tables.
 *
 * @example
 * import { fromPg, migrate } from "@hookrail/outbox"
 * import { Pool } from "pg"
 *
 * const applied = await migrate(fromPg(new Pool()))
 *
 * @since 0.1.0
 * @category migrations
 */
export const migrate = async (
  executor: Executor,
  options: NamesOptions = {}
): Promise<{ readonly applied: ReadonlyArray<number> }> => {
  const { needed, state, version = 0 } = await schemaStatus(executor, options)
  const names = namesOf(options)
  if (state === "newer") throw new SchemaError({ problem: "newer", version, needed, table: names.outbox })
  if (state === "current") return { applied: [] }
  const operation = "Migrating"
  const all = statements(executor.dialect, names, version)
  if (executor.dialect === "postgres") {
    const schema = names.schema === undefined
      ? []
      : [`if to_regnamespace('${names.schema}') is null then create schema ${names.schema}; end if`]
    const body = [`perform pg_advisory_xact_lock(${migrationLock})`, ...schema, ...all].map((sql) => `${sql};\n`).join(
      ""
    )
    await run(executor, names, operation, `do $hookrail$ begin\n${body}end $hookrail$`)
  } else {
    for (const sql of all) await run(executor, names, operation, sql)
  }
  return {
    applied: migrationsOf(executor.dialect).map((migration) => migration.version).filter((applied) => applied > version)
  }
}

/**
 * Options of the text of migrations.
 *
 * @since 0.1.0
 * @category models
 */
export interface MigrationSqlOptions extends NamesOptions {
  readonly dialect: Dialect
  /** The version that the tables have. Default: 0, there are none. */
  readonly from?: number | undefined
  /** What stands between two statements: `--> statement-breakpoint` for Drizzle. Default: nothing. */
  readonly separator?: string | undefined
}

/**
 * The migrations as text, for your own migration tool. Each statement can be run again without harm.
 *
 * @since 0.1.0
 * @category migrations
 */
export const migrationSql = (options: MigrationSqlOptions): string => {
  if (options === undefined) checkDialect(options)
  checkNames(options, ["dialect", "from", "separator", ...namesOptions])
  const { dialect, from = 0, separator } = options
  checkDialect(dialect)
  const names = namesOf(options)
  const schema = dialect === "postgres" && names.schema !== undefined && from === 0
    ? [`create schema if not exists ${names.schema}`]
    : []
  return `${
    [...schema, ...statements(dialect, names, from)]
      .map((sql) => `${sql};`)
      .join(separator === undefined ? "\n\n" : `\n${separator}\n`)
  }\n`
}
