/** The names of the tables, in a schema of the user's choice. */
import { OutboxConfigError } from "../errors.js"

/**
 * Where the tables are.
 *
 * @since 0.1.0
 * @category models
 */
export interface NamesOptions {
  /** The schema in Postgres, or the name of an attached database in SQLite. Default: the one that the connection looks in. */
  readonly schema?: string | undefined
  /** What the names of the tables begin with. Default: `hookrail_`. */
  readonly prefix?: string | undefined
}

/** The names as they are written in SQL. */
export interface Names {
  readonly schema: string | undefined
  readonly prefix: string
  readonly outbox: string
  /** The procedure that stores an event, in Postgres. */
  readonly enqueue: string
  /** Dead letters that block no ordering key. */
  readonly dead: string
  readonly inbox: string
  readonly gate: string
  /** Which migrations were applied. */
  readonly version: string
}

/** The names of these options. */
export const namesOptions: ReadonlyArray<string> = ["schema", "prefix"]

/** Lower case only: such names mean the same with and without quotes, and nothing in them needs quotes. */
const name = /^[a-z_][a-z0-9_]*$/

const made = new Map<string, Names>()

/** Throws an `OutboxConfigError` for a name that would need quotes. */
export const namesOf = (options: NamesOptions = {}): Names => {
  const { prefix = "hookrail_", schema } = options
  const id = schema === undefined ? `${prefix}` : `${schema}.${prefix}`
  const known = made.get(id)
  if (known !== undefined) return known
  check("schema", schema)
  check("prefix", prefix)
  const table = (own: string): string => `${schema === undefined ? "" : `${schema}.`}${prefix}${own}`
  const names: Names = {
    schema,
    prefix,
    outbox: table("outbox"),
    enqueue: table("enqueue"),
    dead: table("outbox_dead"),
    inbox: table("inbox"),
    gate: table("gate"),
    version: table("schema")
  }
  made.set(id, names)
  return names
}

const check = (option: string, value: unknown): void => {
  if (value === undefined) return
  if (typeof value !== "string" || value.length > 40 || !name.test(value)) {
    throw new OutboxConfigError({
      option,
      reason: "must be at most 40 lower-case letters, digits and underscores, and not begin with a digit"
    })
  }
}
