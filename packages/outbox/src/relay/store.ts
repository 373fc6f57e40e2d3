/** The outbox as a relay sees it: typed rows in place of statements. Each method runs once; retrying is up to the caller. */
import type { EncodedEvent } from "../enqueue/freeze.js"
import { RowError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import { run } from "../operate/migrate.js"
import type { Row, Value } from "../sql/dialect.js"
import { booleanOf, bytesOf, numberOf, numberOrNull, textOf, textOrNull } from "../sql/values.js"
import type { Settings } from "./options.js"
import { Plans } from "./plans.js"
import * as statements from "./statements.js"
import type { ClaimSize } from "./statements.js"

/** An event that this relay has taken. */
export class Taken {
  constructor(
    readonly seq: number,
    readonly orderingKey: string | undefined,
    readonly attempts: number,
    /** How long ago it was enqueued, when it was taken. */
    readonly ageMs: number,
    /** How long ago it may have been accepted for the first time; `undefined`: certainly never. */
    readonly ambiguousForMs: number | undefined,
    /** The event, or why the row does not decode. */
    readonly event: EncodedEvent | RowError
  ) {}
}

export interface Claimed {
  readonly taken: ReadonlyArray<Taken>
  /** Where to go on looking; `undefined`: all keys were looked at. */
  readonly nextKey: string | undefined
  readonly nextSeq: number | undefined
}

/** What is written to an event that stops its lane. */
export interface Stopped {
  readonly seq: number
  readonly delayMs: number
  readonly isAmbiguous: boolean
  readonly status: number | undefined
  readonly text: string
  readonly reason: string | undefined
}

const eventOf = (row: Row): EncodedEvent | RowError => {
  try {
    const orderingKey = textOrNull(row, "ordering_key")
    return {
      topic: textOf(row, "topic"),
      body: bytesOf(row, "body"),
      idempotencyKey: textOf(row, "id"),
      orderingKey: booleanOf(row, "key_in_body") ? undefined : orderingKey,
      traceparent: textOrNull(row, "traceparent")
    }
  } catch (error) {
    if (error instanceof RowError) return error
    throw error
  }
}

const takenOf = (row: Row): Taken =>
  new Taken(
    numberOf(row, "seq"),
    textOrNull(row, "ordering_key"),
    numberOf(row, "attempts"),
    numberOf(row, "age"),
    numberOrNull(row, "ambiguous_for"),
    eventOf(row)
  )

/** The last one of so many ordering keys; `undefined`: there are fewer. */
const lastKeyOf = (taken: ReadonlyArray<Taken>, lanes: number): string | undefined => {
  const keys = new Set<string>()
  for (const { orderingKey } of taken) if (orderingKey !== undefined) keys.add(orderingKey)
  return keys.size < lanes ? undefined : [...keys].reduce((a, b) => a > b ? a : b)
}

/** So many acknowledgements at once tell whether their statement has a good plan. */
const many = 50

export class Store {
  private readonly stopSql: string
  private readonly ackSql: string
  private readonly claims = new Map<string, string>()
  private readonly plans: Plans

  constructor(private readonly executor: Executor, private readonly settings: Settings) {
    this.stopSql = statements.stop(executor.dialect, settings.names)
    this.ackSql = statements.ack(executor.dialect, settings.names)
    this.plans = new Plans(executor)
  }

  /** Rejects with a `RowError` if the driver gives values as other types than it should: no event could be read. */
  async checkTypes(): Promise<void> {
    const [row] = await this.run("Reading values", statements.sample(this.executor.dialect), [])
    const { event } = takenOf(row ?? {})
    if (event instanceof RowError) throw event
    if (event.body.length !== 2 || event.body[0] !== 0 || event.body[1] !== 255) {
      throw new RowError({ column: "body", reason: "not the bytes that were stored" })
    }
  }

  async claim(owner: string, afterKey: string, afterSeq: number, size: ClaimSize): Promise<Claimed> {
    const { destination, leaseMs } = this.settings
    const start = performance.now()
    const rows = await this.run("Claiming events", this.claimSql(size), [
      destination,
      afterKey,
      afterSeq,
      leaseMs,
      owner
    ])
    // In Postgres there is always a row, which says where to go on.
    const taken = rows.filter(({ seq }) => seq !== null).map(takenOf)
    taken.sort((a, b) => a.seq - b.seq)
    if (taken.length >= size.lanes) await this.plans.review(performance.now() - start)
    let free = 0
    let lastFree: number | undefined
    for (const { orderingKey, seq } of taken) {
      if (orderingKey !== undefined) continue
      free++
      lastFree = seq
    }
    return {
      taken,
      nextKey: this.executor.dialect === "postgres"
        ? textOrNull(rows[0]!, "next_key")
        : lastKeyOf(taken, size.lanes),
      nextSeq: free < size.lanes ? undefined : lastFree
    }
  }

  /** For how long the gate is still closed. */
  async gateClosedFor(): Promise<number> {
    const { executor: { dialect }, settings: { destination, names } } = this
    const [row] = await this.run("Reading the gate", statements.gateState(dialect, names), [destination])
    return row === undefined ? 0 : Math.max(numberOf(row, "closed_for"), 0)
  }

  async closeGate(millis: number, reason: string): Promise<void> {
    const { executor: { dialect }, settings: { destination, names } } = this
    await this.run("Closing the gate", statements.closeGate(dialect, names), [destination, millis, reason])
  }

  async ack(seqs: ReadonlyArray<number>): Promise<void> {
    const start = performance.now()
    await this.run("Recording what was accepted", this.ackSql, [statements.listOf(this.executor.dialect, seqs)])
    if (seqs.length >= many) await this.plans.review(performance.now() - start)
  }

  /** Returns how many events still belonged to the owner. */
  async stop(owner: string, head: Stopped | undefined, others: ReadonlyArray<number>): Promise<number> {
    const rows = await this.run("Giving events back", this.stopSql, [
      owner,
      head?.seq ?? 0,
      statements.listOf(this.executor.dialect, others),
      head?.delayMs ?? 0,
      head?.isAmbiguous === true ? 1 : 0,
      head?.status ?? null,
      head?.text ?? null,
      head?.reason ?? null
    ])
    return rows.length
  }

  /** Moves an event to the dead letters. Returns whether it still belonged to the owner. */
  async bury(owner: string, { reason, seq, status, text }: Stopped): Promise<boolean> {
    const { executor: { dialect }, settings: { names } } = this
    const rows = await this.run("Moving an event to the dead letters", statements.bury(dialect, names), [
      owner,
      seq,
      status ?? null,
      text,
      reason ?? null
    ])
    return rows.length > 0
  }

  private claimSql(size: ClaimSize): string {
    const id = `${size.lanes} ${size.run}`
    let sql = this.claims.get(id)
    if (sql === undefined) {
      this.claims.set(id, sql = statements.claim(this.executor.dialect, this.settings.names, size))
    }
    return sql
  }

  private run(operation: string, sql: string, params: ReadonlyArray<Value>): Promise<ReadonlyArray<Row>> {
    return run(this.executor, this.settings.names, operation, sql, params)
  }
}
