/** The tables, as migrations: each is a list of statements, and brings the tables from the version before to its own. */
import type { Dialect } from "./dialect.js"
import { writingOf } from "./dialect.js"
import type { Names } from "./names.js"
import { procedure } from "./storing.js"

/** The version that this package needs. */
export const currentVersion = 1

/**
 * The name of the check that two different events under one idempotency key violate. Drivers show it in their errors, so it says
 * what happened.
 */
export const keyConflict = "two_events_under_one_idempotency_key"

interface Migration {
  readonly version: number
  readonly statements: (names: Names) => ReadonlyArray<string>
}

/** The name of a table within its own schema. */
const own = (table: string): string => table.replace(/^[a-z_0-9]+\./, "")

/** The name of an index. It is not qualified in Postgres: an index is in the schema of its table. */
const index = (dialect: Dialect, names: Names, name: string, on: string): string =>
  `create index if not exists ${dialect === "sqlite" && names.schema !== undefined ? `${names.schema}.` : ""}` +
  `${names.prefix}${name} on ${dialect === "sqlite" ? own(on) : on}`

/** In SQLite: what moves to the dead letters leaves the outbox, in the same statement. */
const buried = (names: Names): string =>
  `create trigger if not exists ${names.dead}_buried after insert on ${own(names.dead)} begin
  delete from ${own(names.outbox)} where seq = new.seq;
end`

const columnTypes = {
  postgres: {
    time: "timestamptz",
    bytes: "bytea",
    flag: "boolean",
    no: "false",
    key: "text collate \"C\"",
    int: "int"
  },
  sqlite: { time: "integer", bytes: "blob", flag: "integer", no: "0", key: "text", int: "integer" }
}

const first = (dialect: Dialect): Migration => ({
  version: 1,
  statements: (names) => {
    const { bytes, flag, int, key, no, time } = columnTypes[dialect]
    const now = dialect === "postgres" ? "clock_timestamp()" : `(${writingOf(dialect).now})`
    const suffix = dialect === "sqlite" ? " strict" : ""
    const event = `
  destination text not null default 'default',
  ordering_key ${key},
  key_in_body ${flag} not null default ${no},
  topic text not null,
  body ${bytes} not null,
  traceparent text,`
    const history = `
  last_status ${int},
  last_error text,
  parked_reason text`
    return [
      `create table if not exists ${names.outbox} (
  seq ${
        dialect === "postgres"
          ? "bigint generated always as identity primary key"
          : "integer primary key autoincrement"
      },
  id text not null,${event}
  created_at ${time} not null default ${now},
  available_at ${time} not null default ${now},
  attempts ${int} not null default 0,
  lease_owner text,
  first_ambiguous_at ${time},${history},
  constraint ${names.prefix}outbox_id unique (id, destination),
  constraint ${names.prefix}empty_ordering_key check (ordering_key <> ''),
  constraint ${names.prefix}${keyConflict} check (attempts >= 0)
)${suffix}`,
      index(
        dialect,
        names,
        "outbox_lane",
        `${names.outbox} (destination, ordering_key, seq) where ordering_key is not null`
      ),
      index(dialect, names, "outbox_free", `${names.outbox} (destination, seq) where ordering_key is null`),
      index(dialect, names, "outbox_parked", `${names.outbox} (seq) where parked_reason is not null`),
      `create table if not exists ${names.dead} (
  seq ${dialect === "postgres" ? "bigint" : "integer"} primary key,
  id text not null,${event}
  created_at ${time} not null,
  attempts ${int} not null,
  dead_at ${time} not null default ${now},${history}
)${suffix}`,
      index(dialect, names, "outbox_dead_at", `${names.dead} (dead_at)`),
      `create table if not exists ${names.gate} (
  destination text primary key,
  closed_until ${time} not null,
  reason text
)${suffix}`,
      `create table if not exists ${names.inbox} (
  consumer text not null,
  delivery text not null,
  received_at ${time} not null default ${now},
  token text,
  lease_until ${time},
  primary key (consumer, delivery)
)${suffix}`,
      index(dialect, names, "inbox_received_at", `${names.inbox} (received_at)`),
      // Rows come and go: without this, dead rows pile up for as long as a fifth of the largest backlog ever was. Each row is
      // changed once before it goes, when it is claimed: with room for it in the page, no index changes.
      ...(dialect === "postgres"
        ? [
          `alter table ${names.outbox} set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)`,
          `alter table ${names.inbox} set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)`,
          procedure(names)
        ]
        : [buried(names)])
    ]
  }
})

/** In order of their versions. */
export const migrationsOf = (dialect: Dialect): ReadonlyArray<Migration> => [first(dialect)]

/** Creates the table of versions. */
export const versionTable = (dialect: Dialect, names: Names): string =>
  dialect === "postgres"
    ? `create table if not exists ${names.version} (\n  version int primary key,\n  applied_at timestamptz not null default clock_timestamp()\n)`
    : `create table if not exists ${names.version} (\n  version integer primary key,\n  applied_at integer not null default (${
      writingOf(dialect).now
    })\n) strict`

/** Records that a migration was applied. */
export const recordVersion = (names: Names, version: number): string =>
  `insert into ${names.version} (version) values (${version}) on conflict (version) do nothing`
