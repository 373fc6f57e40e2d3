/** How an event is stored: what the INSERT of `enqueue` and the procedure of the tables have in common. */
import type { Dialect } from "./dialect.js"
import type { Names } from "./names.js"

/** The columns that a program gives; the others have defaults. */
export const columns = "id, destination, ordering_key, key_in_body, topic, body, traceparent"

const types: Readonly<Record<string, string>> = { key_in_body: "boolean", body: "bytea" }

/** The channel of notifications: the name of the table, as relays listen to it. */
export const channelOf = (names: Names): string => names.outbox.replace(".", "_")

/** Locks an ordering key of a destination until the transaction ends. Never null. */
export const lockOf = (destination: string, key: string): string =>
  `pg_advisory_xact_lock(hashtextextended(${key}, hashtext(${destination})))`

/**
 * An event that waits already is left as it is. A different one fails at a constraint whose name says why: for everybody, also
 * without looking at the result. A key that was made here needs none of this.
 */
export const onConflict = (dialect: Dialect, names: Names): string => {
  // SQLite knows no schema here, Postgres needs the table.
  const [own, is] = dialect === "postgres" ? [`${names.outbox}.`, "is not distinct from"] : ["", "is"]
  const same = `${own}body = excluded.body and ${own}ordering_key ${is} excluded.ordering_key`
  return ` on conflict (id, destination) do update set attempts = case when ${same} then ${own}attempts else -1 end`
}

const parameters: ReadonlyArray<readonly [name: string, type: string]> = [
  ...columns.split(", ").map((column) => [`event_${column}`, types[column] ?? "text"] as const),
  ["has_own_key", "boolean"],
  ["locks_key", "boolean"],
  ["notifies", "boolean"]
]

/**
 * The procedure that stores an event. Postgres keeps the plans of what is in it for each connection, so that a call costs less than
 * an INSERT that is not prepared, with all that is done besides. It runs with the rights of the caller.
 *
 * The parameters have names, and none of a column: some drivers take `$1` in a text for a placeholder. An `if` evaluates what a
 * `perform` would run as a query.
 */
export const procedure = (names: Names): string => {
  const [, destination, key] = parameters.map(([name]) => name)
  const values = parameters.slice(0, 7).map(([name]) => name).join(", ")
  const insert = `insert into ${names.outbox} (${columns})\n    values (${values})`
  return `create or replace procedure ${names.enqueue}(
  ${parameters.map(([name, type]) => `${name} ${type}`).join(", ")}
) language plpgsql as $call$ begin
  if locks_key and ${lockOf(destination!, key!)} is null then null; end if;
  if notifies and pg_notify('${channelOf(names)}', ${destination}) is null then null; end if;
  if has_own_key then ${insert}
   ${onConflict("postgres", names)};
  else ${insert};
  end if;
end $call$`
}
