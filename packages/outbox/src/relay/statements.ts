/** The statements of a relay. Each commits by itself, and all times are those of the database. */
import type { Dialect } from "../sql/dialect.js"
import { writingOf } from "../sql/dialect.js"
import type { Names } from "../sql/names.js"
import { maxLease } from "./options.js"

/** How much a claim takes. These are written into the statement, so that the planner knows them. */
export interface ClaimSize {
  /** Ordering keys, and as many events without one. */
  readonly lanes: number
  /** Events of one key. */
  readonly run: number
}

/** How many events a claim takes at most. */
export const rowsOf = ({ lanes, run }: ClaimSize): number => lanes + Math.min(lanes * run, Math.max(lanes, 256))

/**
 * Takes due events: `$1` destination, `$2` the ordering key and `$3` the number after which to look, `$4` the lease in
 * milliseconds, `$5` its owner.
 *
 * Of an ordering key only the oldest event that exists may be taken, whether it is due or not, and after it what is due without a
 * gap. That depends on which rows exist and not on who has them, so two relays cannot share a key.
 *
 * It goes from key to key through the index instead of asking each event whether there is an older one: the cost of a claim does
 * not depend on how much waits, nor on rows that were deleted and are not yet cleaned up.
 *
 * An event whose lease was not given back may have been sent by the owner that vanished.
 */
export const claim = (dialect: Dialect, names: Names, size: ClaimSize): string =>
  dialect === "postgres" ? claimInPostgres(names, size) : claimInSqlite(names, size)

const columns = "seq, id, ordering_key, key_in_body, topic, body, traceparent, attempts"

const taking = (dialect: Dialect): string => {
  const { later, now } = writingOf(dialect)
  const [millis, owner] = dialect === "postgres" ? ["$4::float8", "$5::text"] : ["$4", "$5"]
  return `available_at = ${later(now, millis)}, attempts = attempts + 1, lease_owner = ${owner},
    first_ambiguous_at = case when lease_owner is null then first_ambiguous_at
      else coalesce(first_ambiguous_at, ${later("available_at", String(-maxLease))}) end`
}

const returned = (dialect: Dialect, table: string): string => {
  const { millis, now } = writingOf(dialect)
  return `${columns.split(", ").map((name) => `${table}${name}`).join(", ")},
    ${millis(now)} - ${millis(`${table}created_at`)} as age,
    ${millis(now)} - ${millis(`${table}first_ambiguous_at`)} as ambiguous_for`
}

const claimInPostgres = (names: Names, size: ClaimSize): string => {
  const { lanes, run } = size
  const { now } = writingOf("postgres")
  const { gate, outbox } = names
  const isOpen = "exists (select from gate_open)"
  return `with recursive gate_open as materialized (
  select 1 where not exists (select from ${gate} where destination = $1::text and closed_until > ${now})
), lanes as (
  (select o.ordering_key, o.seq, o.available_at, 1 as n from ${outbox} as o
    where o.destination = $1::text and o.ordering_key > $2::text and ${isOpen}
    order by o.ordering_key, o.seq limit 1)
  union all
  select next.ordering_key, next.seq, next.available_at, l.n + 1 from lanes as l cross join lateral (
    select o.ordering_key, o.seq, o.available_at from ${outbox} as o
    where o.destination = $1::text and o.ordering_key > l.ordering_key order by o.ordering_key, o.seq limit 1
  ) as next where l.n < ${2 * lanes + 8}
), heads as materialized (
  select h.seq, l.ordering_key from lanes as l cross join lateral (
    select o.seq from ${outbox} as o where o.seq = l.seq and o.available_at <= ${now} limit 1 for update skip locked
  ) as h where l.available_at <= ${now} limit ${lanes}
), followers as materialized (
  select f.seq from heads as h cross join lateral (
    select w.seq, row_number() over (order by w.seq) as rank, max(w.available_at) over (order by w.seq) as due_at from (
      select o.seq, o.available_at from ${outbox} as o
      where o.destination = $1::text and o.ordering_key = h.ordering_key and o.seq > h.seq order by o.seq limit ${
    run - 1
  }
    ) as w
  ) as f where f.due_at <= ${now} order by f.rank limit ${rowsOf(size) - 2 * lanes}
), free as materialized (
  select o.seq from ${outbox} as o
  where o.destination = $1::text and o.ordering_key is null and o.seq > $3::bigint and o.available_at <= ${now} and ${isOpen}
  order by o.seq limit ${lanes} for update skip locked
), claimed as (
  update ${outbox} as o set ${taking("postgres")}
  from (select seq from heads union all select seq from followers union all select seq from free) as p
  where o.seq = p.seq
  returning ${returned("postgres", "o.")}
)
select c.*, s.next_key from (
  select case when (select count(*) from heads) >= ${lanes} then (select max(ordering_key) from heads)
    when (select count(*) from lanes) >= ${2 * lanes + 8} then (select max(ordering_key) from lanes) end as next_key
) as s left join claimed as c on true`
}

const claimInSqlite = (names: Names, size: ClaimSize): string => {
  const { lanes, run } = size
  const { now } = writingOf("sqlite")
  const { gate, outbox } = names
  const isOpen = `not exists (select 1 from ${gate} where destination = $1 and closed_until > ${now})`
  const nextKey = (after: string): string =>
    `(select ordering_key from ${outbox} where destination = $1 and ordering_key > ${after} order by ordering_key limit 1)`
  return `with recursive lanes(k) as (
  select ${nextKey("$2")} where ${isOpen}
  union all
  select ${nextKey("lanes.k")} from lanes where lanes.k is not null
), heads(k, seq) as materialized (
  select h.k, h.seq from (
    select l.k as k, (select seq from ${outbox} where destination = $1 and ordering_key = l.k order by seq limit 1) as seq
    from lanes as l where l.k is not null
  ) as h where (select available_at from ${outbox} where seq = h.seq) <= ${now} limit ${lanes}
), runs(seq, rank, due_at) as materialized (
  select o.seq, row_number() over (partition by h.k order by o.seq), max(o.available_at) over (partition by h.k order by o.seq)
  from heads as h cross join ${outbox} as o
  where o.destination = $1 and o.ordering_key = h.k and o.seq <= coalesce((
    select seq from ${outbox} where destination = $1 and ordering_key = h.k order by seq limit 1 offset ${run - 1}
  ), 9007199254740991)
), ordered(seq) as materialized (
  select seq from runs where due_at <= ${now} order by rank limit ${rowsOf(size) - lanes}
), free(seq) as materialized (
  select seq from ${outbox} where destination = $1 and ordering_key is null and seq > $3 and available_at <= ${now} and ${isOpen}
  order by seq limit ${lanes}
)
update ${outbox} set ${taking("sqlite")}
where seq in (select seq from ordered union all select seq from free)
returning ${returned("sqlite", "")}`
}

/** An event that is in no table, with values of each type. */
export const sample = (dialect: Dialect): string => {
  const isPostgres = dialect === "postgres"
  const [seq, text, no, bytes, age, ago] = isPostgres
    ? ["1::bigint", "'a'::text", "false", "'\\x00ff'::bytea", "0.5::float8", "null::float8"]
    : ["1", "'a'", "0", "x'00ff'", "0.5", "null"]
  return `select ${seq} as seq, ${text} as id, ${text} as ordering_key, ${no} as key_in_body, ${text} as topic, ${bytes} as body,
  ${text} as traceparent, 1 as attempts, ${age} as age, ${ago} as ambiguous_for`
}

/** For how long the gate is closed: `$1` destination. */
export const gateState = (dialect: Dialect, names: Names): string => {
  const { millis, now } = writingOf(dialect)
  return `select ${millis("closed_until")} - ${millis(now)} as closed_for from ${names.gate} where destination = ${
    dialect === "postgres" ? "$1::text" : "$1"
  }`
}

/** Which numbers: a text such as `{1,2}` in Postgres, and `[1,2]` in SQLite, since not every driver can bind an array. */
const among = (dialect: Dialect, param: string): string =>
  dialect === "postgres"
    ? `seq = any(${param}::text::bigint[])`
    : `seq in (select value from json_each(${param}))`

export const listOf = (dialect: Dialect, seqs: ReadonlyArray<number>): string =>
  dialect === "postgres" ? `{${seqs.join(",")}}` : `[${seqs.join(",")}]`

/** Deletes what the server has: `$1` which. Whoever has it now, it need not be sent again. */
export const ack = (dialect: Dialect, names: Names): string =>
  `delete from ${names.outbox} where ${among(dialect, "$1")}`

/**
 * Records that a lane stops: `$1` owner, `$2` the event that stops it (0: none), `$3` the others, which are given back untried,
 * `$4` the delay in milliseconds, `$5` whether the event may have been accepted, `$6` status, `$7` error, `$8` why it is parked.
 * It does nothing to events that another relay has taken over.
 */
export const stop = (dialect: Dialect, names: Names): string => {
  const { later, never, now } = writingOf(dialect)
  const isPostgres = dialect === "postgres"
  const typed = (n: number, type: string): string => isPostgres ? `$${n}::${type}` : `$${n}`
  const isHead = `seq = ${typed(2, "bigint")}`
  const ofHead = (value: string, other: string): string => `case when ${isHead} then ${value} else ${other} end`
  return `update ${names.outbox} set
  available_at = ${
    ofHead(`case when ${typed(8, "text")} is null then ${later(now, typed(4, "float8"))} else ${never} end`, now)
  },
  attempts = ${ofHead("attempts", `case when attempts > 0 then attempts - 1 else 0 end`)},
  lease_owner = null,
  first_ambiguous_at = case when ${isHead} and ${typed(5, "int")} = 1 then coalesce(first_ambiguous_at, ${now})
    else first_ambiguous_at end,
  last_status = ${ofHead(typed(6, "int"), "last_status")},
  last_error = ${ofHead(typed(7, "text"), "last_error")},
  parked_reason = ${ofHead(typed(8, "text"), "parked_reason")}
where lease_owner = ${typed(1, "text")} and (${isHead} or ${among(dialect, "$3")})
returning seq`
}

const dead =
  "seq, id, destination, ordering_key, key_in_body, topic, body, traceparent, created_at, attempts, last_status, last_error, parked_reason"

/**
 * Moves an event to the dead letters: `$1` owner, `$2` which, `$3` status, `$4` error, `$5` why. SQLite cannot write to two tables
 * in one statement; there a trigger takes the event out of the outbox.
 */
export const bury = (dialect: Dialect, names: Names): string => {
  const copied = (from: string, [status, error, reason]: ReadonlyArray<string>): string =>
    `into ${names.dead} (${dead}) select seq, id, destination, ordering_key, key_in_body, topic, body, traceparent,
  created_at, attempts, ${status}, ${error}, ${reason} from ${from}`
  return dialect === "postgres"
    ? `with gone as (delete from ${names.outbox} where seq = $2::bigint and lease_owner = $1::text returning *)
insert ${copied("gone", ["$3::int", "$4::text", "$5::text"])} on conflict (seq) do nothing returning seq`
    : `insert or replace ${
      copied(`${names.outbox} where seq = $2 and lease_owner = $1`, ["$3", "$4", "$5"])
    } returning seq`
}

/** Closes the gate for all relays of a destination: `$1` destination, `$2` for how long, `$3` why. The longest closure wins. */
export const closeGate = (dialect: Dialect, names: Names): string => {
  const { later, now } = writingOf(dialect)
  const isPostgres = dialect === "postgres"
  const [destination, millis, reason] = isPostgres ? ["$1::text", "$2::float8", "$3::text"] : ["$1", "$2", "$3"]
  return `insert into ${names.gate} as g (destination, closed_until, reason)
values (${destination}, ${later(now, millis!)}, ${reason})
on conflict (destination) do update set
  reason = case when excluded.closed_until > g.closed_until then excluded.reason else g.reason end,
  closed_until = ${isPostgres ? "greatest" : "max"}(g.closed_until, excluded.closed_until)`
}
