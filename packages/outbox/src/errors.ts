/**
 * The failures of the outbox and the inbox: one class per failure mode. Each has a `_tag`, and its message says what happened and
 * what to do. None holds a payload, a value of a row or a connection string.
 *
 * @since 0.1.0
 */
import { ended } from "hookrail/wire/shorten"

/** The fields of an error, with a JSON form that leaves out foreign causes. */
abstract class Base<Tag extends string> extends Error {
  abstract readonly _tag: Tag

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
  }

  override get name(): string {
    return this._tag
  }

  toJSON(): unknown {
    const fields: Record<string, unknown> = { _tag: this._tag, message: this.message }
    for (const [key, value] of Object.entries(this)) if (key !== "cause") fields[key] = value
    return fields
  }
}

/**
 * An option is invalid.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutboxConfigError extends Base<"OutboxConfigError"> {
  readonly _tag = "OutboxConfigError"
  readonly option: string
  readonly reason: string
  constructor(fields: { readonly option: string; readonly reason: string }) {
    // What is no option has words of its own, as "handle of fromPg".
    const what = fields.option.includes(" ") ? fields.option : `option ${fields.option}`
    super(ended(`The ${what} ${fields.reason}`))
    this.option = fields.option
    this.reason = fields.reason
  }
}

/**
 * The event cannot be sent, so it was not stored. Nothing has run in the database.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidEventError extends Base<"InvalidEventError"> {
  readonly _tag = "InvalidEventError"
  /** What is wrong: an argument, or a path in the payload such as `$.items[3]`. */
  readonly where: string
  readonly reason: string
  readonly topic: string
  readonly idempotencyKey: string | undefined
  constructor(fields: {
    readonly topic: string
    readonly idempotencyKey: string | undefined
    readonly where: string
    readonly reason: string
  }) {
    const which = fields.topic === "" ? "The event" : `The event of topic ${quote(fields.topic)}`
    super(ended(`${which} was not enqueued. ${fields.where}: ${fields.reason}`))
    this.topic = fields.topic
    this.idempotencyKey = fields.idempotencyKey
    this.where = fields.where
    this.reason = fields.reason
  }
}

/**
 * The handle is not in a transaction. Stored outside of it, the event could be sent although the change is rolled back, or be
 * lost although it is committed. Nothing has run in the database.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransactionRequiredError extends Base<"TransactionRequiredError"> {
  readonly _tag = "TransactionRequiredError"
  /** What needs a transaction. */
  readonly operation: string
  constructor(fields: { readonly operation: string; readonly hint: string }) {
    super(`${fields.operation} needs the transaction that makes the change, and this handle is in none. ${fields.hint}`)
    this.operation = fields.operation
  }
}

/**
 * Another event is stored under this idempotency key. The transaction has failed: roll it back.
 *
 * @since 0.1.0
 * @category errors
 */
export class KeyConflictError extends Base<"KeyConflictError"> {
  readonly _tag = "KeyConflictError"
  readonly topic: string
  readonly idempotencyKey: string
  constructor(fields: { readonly topic: string; readonly idempotencyKey: string; readonly cause?: unknown }) {
    super(
      `The event of topic ${
        quote(fields.topic)
      } was not enqueued: another event with other bytes or another ordering key ` +
        `waits under the idempotency key ${
          quote(fields.idempotencyKey)
        }. Use one key per event, and roll the transaction back.`,
      fields.cause
    )
    this.topic = fields.topic
    this.idempotencyKey = fields.idempotencyKey
  }
}

/**
 * The tables are missing, or older or newer than this version of the package needs.
 *
 * @since 0.1.0
 * @category errors
 */
export class SchemaError extends Base<"SchemaError"> {
  readonly _tag = "SchemaError"
  /** `"missing"`: there are no tables; `"older"`: a migration is missing; `"newer"`: a newer version of the package made them. */
  readonly problem: "missing" | "older" | "newer"
  /** The version that was found. */
  readonly version: number | undefined
  constructor(fields: {
    readonly problem: "missing" | "older" | "newer"
    readonly table: string
    /** What is missing, if it is not the table. */
    readonly procedure?: string | undefined
    readonly version?: number | undefined
    readonly needed: number
    readonly cause?: unknown
  }) {
    const { needed, problem, procedure, table, version } = fields
    super(
      problem === "missing"
        ? `There is no ${
          procedure === undefined ? `table ${table}` : `procedure ${procedure}`
        }. Run the migrations (\`migrate\`, or the DDL of \`migrationSql\` in your own tool), and ` +
          `check the schema and the prefix in the options, and which database this connection uses.`
        : problem === "older"
        ? `The tables around ${table} are of version ${
          version ?? "unknown"
        }, and version ${needed} is needed. Run the migrations.`
        : `The tables around ${table} are of version ${version}, newer than ${needed}, which this version of @hookrail/outbox ` +
          `knows. Update the package.`,
      fields.cause
    )
    this.problem = problem
    this.version = version
  }
}

/**
 * The database refused a statement, or could not be reached. `cause` is the driver's error.
 *
 * @since 0.1.0
 * @category errors
 */
export class DatabaseError extends Base<"DatabaseError"> {
  readonly _tag = "DatabaseError"
  readonly operation: string
  /** The SQLSTATE of Postgres, the result code of SQLite, or Node's code of a connection that failed, if there is one. */
  readonly code: string | undefined
  /** What it means, and what to do, for the more common codes. */
  readonly advice: string | undefined
  constructor(fields: {
    readonly operation: string
    readonly code: string | undefined
    readonly advice?: string | undefined
    readonly cause: unknown
  }) {
    super(
      `${fields.operation} failed in the database${fields.code === undefined ? "" : ` (${fields.code})`}. ` +
        `${fields.advice === undefined ? "" : `${fields.advice} `}` +
        `${fields.cause === undefined ? "" : "See the cause, which is the error of the driver. "}` +
        "If this was in a transaction, roll it back.",
      fields.cause
    )
    this.operation = fields.operation
    this.code = fields.code
    this.advice = fields.advice
  }
}

/**
 * The delivery is being handled: a lease log has claimed it, and its lease has not expired. Let the handler fail with this error:
 * Hookrail delivers again.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeliveryRunningError extends Base<"DeliveryRunningError"> {
  readonly _tag = "DeliveryRunningError"
  readonly delivery: string
  constructor(fields: { readonly delivery: string }) {
    super(
      `The delivery ${quote(fields.delivery)} is being handled under a lease. It is not handled a second time now; ` +
        "fail, so that it is delivered again later."
    )
    this.delivery = fields.delivery
  }
}

/**
 * A column of a row is not what it must be: another program has written to the table, or the driver is set to other types.
 *
 * @since 0.1.0
 * @category errors
 */
export class RowError extends Base<"RowError"> {
  readonly _tag = "RowError"
  readonly column: string
  readonly reason: string
  constructor(fields: { readonly column: string; readonly reason: string }) {
    super(
      `The column ${fields.column} of a row does not decode: it is ${fields.reason}. ` +
        "Check what else writes to this table, and the type settings of the driver."
    )
    this.column = fields.column
    this.reason = fields.reason
  }
}

/**
 * Any error of this package.
 *
 * @since 0.1.0
 * @category errors
 */
export type OutboxError =
  | OutboxConfigError
  | InvalidEventError
  | TransactionRequiredError
  | KeyConflictError
  | SchemaError
  | DatabaseError
  | DeliveryRunningError
  | RowError

const quote = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text)
