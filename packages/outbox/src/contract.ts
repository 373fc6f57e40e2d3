/**
 * What stores of your own must do, as questions that any test runner can ask. Each rejects with an `Error` that says what is wrong.
 *
 * @since 0.1.0
 */
import type { Executor } from "./executor/model.js"
import type { DeliveryLog } from "./inbox/log.js"
import { bytesOf, numberOf, textOf } from "./sql/values.js"

/**
 * A question. Run it as a test of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface ContractCase {
  readonly name: string
  readonly run: () => Promise<void>
}

const check = (condition: boolean, otherwise: string): void => {
  if (!condition) throw new Error(otherwise)
}

const minute = 60_000

/**
 * The contract of a delivery log. `open` gives the log, and optionally the same store through another connection, as another
 * process has it. Deliveries have new names in each case: the store may be shared by all of them.
 *
 * @example
 * import { deliveryLog, fromPg } from "@hookrail/outbox"
 * import { deliveryLogContract } from "@hookrail/outbox/contract"
 * import { Pool } from "pg"
 * import { describe, it } from "vitest"
 *
 * describe("my delivery log", () => {
 *   const log = deliveryLog(fromPg(new Pool()))
 *   for (const { name, run } of deliveryLogContract(() => ({ log }))) it(name, run)
 * })
 *
 * @since 0.1.0
 * @category contracts
 */
export const deliveryLogContract = (
  open: () =>
    | { readonly log: DeliveryLog; readonly other?: DeliveryLog | undefined }
    | Promise<{ readonly log: DeliveryLog; readonly other?: DeliveryLog | undefined }>
): ReadonlyArray<ContractCase> => {
  const ask = (
    name: string,
    question: (log: DeliveryLog, other: DeliveryLog, delivery: string) => Promise<void>
  ): ContractCase => ({
    name,
    run: async () => {
      const { log, other = log } = await open()
      await question(log, other, `${crypto.randomUUID()}.event.topic`)
    }
  })

  const claimed = async (log: DeliveryLog, delivery: string, lease: number): Promise<string> => {
    const claim = await log.claim(delivery, lease)
    if (claim.status !== "claimed") throw new Error(`a delivery that is free was ${claim.status}, not claimed`)
    check(typeof claim.token === "string" && claim.token !== "", "a claim has no token")
    return claim.token
  }

  /** Claims a delivery whose lease ends within moments. */
  const taken = async (log: DeliveryLog, delivery: string): Promise<string> => {
    const end = performance.now() + 10_000
    for (;;) {
      const claim = await log.claim(delivery, minute)
      if (claim.status === "claimed") return claim.token
      check(claim.status === "running", "an expired claim counts as done")
      check(performance.now() < end, "an expired claim cannot be taken over")
    }
  }

  const statusOf = async (log: DeliveryLog, delivery: string): Promise<string> =>
    (await log.claim(delivery, minute)).status

  return [
    ask("a claim is the first one's, until it is done", async (log, other, delivery) => {
      const token = await claimed(log, delivery, minute)
      check(await statusOf(other, delivery) === "running", "a claimed delivery is not running")
      await log.done(delivery, token)
      check(await statusOf(other, delivery) === "done", "a handled delivery is not done")
    }),
    ask("of many claims at the same time, one wins", async (log, other, delivery) => {
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, n) => statusOf(n % 2 === 0 ? log : other, delivery))
      )
      const winners = claims.filter((status) => status === "claimed").length
      check(winners === 1, `${winners} of 20 claims won`)
      check(!claims.includes("done"), "a delivery that nobody has handled is done")
    }),
    ask("a released delivery can be claimed again, with another token", async (log, other, delivery) => {
      const first = await claimed(log, delivery, minute)
      await log.release(delivery, first)
      check(await claimed(other, delivery, minute) !== first, "two claims have the same token")
    }),
    ask("an expired claim is taken over, and its old token changes nothing", async (log, other, delivery) => {
      const old = await claimed(log, delivery, 1)
      const token = await taken(other, delivery)
      check(!(await log.renew(delivery, old, minute)), "an old token renews a claim that was taken over")
      await log.done(delivery, old)
      check(await statusOf(log, delivery) === "running", "an old token ends a claim that was taken over")
      await log.release(delivery, old)
      check(await statusOf(log, delivery) === "running", "an old token releases a claim that was taken over")
      check(await other.renew(delivery, token, minute), "the new token does not hold the claim")
    }),
    ask("a renewed claim holds", async (log, other, delivery) => {
      const token = await claimed(log, delivery, 1)
      check(await log.renew(delivery, token, minute), "a claim that nobody has taken over cannot be renewed")
      check(await statusOf(other, delivery) === "running", "a renewed claim was taken over")
    }),
    ask("what is done stays done", async (log, other, delivery) => {
      const token = await claimed(log, delivery, 1)
      await log.done(delivery, token)
      await log.release(delivery, token)
      check(!(await log.renew(delivery, token, minute)), "a handled delivery was renewed")
      check(await statusOf(other, delivery) === "done", "a handled delivery is free again")
    }),
    ask("one delivery says nothing about another", async (log, other, delivery) => {
      const a = await claimed(log, delivery, minute)
      const b = await claimed(other, `${delivery}.other`, minute)
      check(a !== b, "two claims have the same token")
      await log.done(`${delivery}.other`, a)
      await log.release(`${delivery}.other`, a)
      check(await statusOf(log, `${delivery}.other`) === "running", "the token of one delivery changes another")
      await log.done(delivery, a)
      check(await statusOf(log, `${delivery}.other`) === "running", "one delivery being done changes another")
    })
  ]
}

/**
 * The contract of an executor. `transaction` runs work in a transaction, and rolls back if it rejects. The cases create the table
 * `hookrail_contract`, and drop it.
 *
 * @since 0.1.0
 * @category contracts
 */
export const executorContract = (
  open: () => Promise<{
    readonly outside: Executor
    readonly transaction: (work: (executor: Executor) => Promise<unknown>) => Promise<unknown>
  }>
): ReadonlyArray<ContractCase> => [
  {
    name: "values come back as they went in",
    run: async () => {
      const { outside } = await open()
      const isPostgres = outside.dialect === "postgres"
      const bytes = new Uint8Array([0, 1, 127, 128, 255, 92, 39])
      const sql = isPostgres
        ? "select $1::text as t, $2::bytea as b, $3::bigint as n, $4::float8 as f, $5::text as z"
        : "select ? as t, ? as b, ? as n, ? as f, ? as z"
      const [row] = await outside.execute(sql, ["é'\"\u{1f600}", bytes, 9_007_199_254_740_991, 0.5, null])
      if (row === undefined) throw new Error("a SELECT gives no row")
      check(textOf(row, "t") === "é'\"\u{1f600}", "a text changes")
      check(bytesOf(row, "b").join() === bytes.join(), "bytes change")
      check(numberOf(row, "n") === 9_007_199_254_740_991, "a large integer changes")
      check(numberOf(row, "f") === 0.5, "a number changes")
      check(row["z"] === null, "null changes")
    }
  },
  {
    name: "what is rolled back is gone, and what is committed is there",
    run: async () => {
      const { outside, transaction } = await open()
      await outside.execute("drop table if exists hookrail_contract", [])
      await outside.execute("create table hookrail_contract (n int)", [])
      const insert = "insert into hookrail_contract (n) values (1) returning n"
      const count = async (): Promise<number> =>
        numberOf((await outside.execute("select count(*) as n from hookrail_contract", []))[0]!, "n")
      const failed = await transaction(async (executor) => {
        await executor.execute(insert, [])
        throw new RangeError("roll back")
      }).then(() => undefined, (error: unknown) => error)
      check(failed instanceof RangeError, "the error of the work is not the one that is thrown")
      check(await count() === 0, "a statement outlives the transaction that was rolled back")
      await transaction(async (executor) => {
        check((await executor.execute(insert, [])).length === 1, "RETURNING gives no row")
        check(
          (await executor.execute("delete from hookrail_contract where n = 2", [])).length === 0,
          "no rows are some rows"
        )
      })
      check(await count() === 1, "a committed statement is lost")
      await outside.execute("drop table hookrail_contract", [])
    }
  },
  {
    name: "it tells whether it is in a transaction, as far as it can",
    run: async () => {
      const { outside, transaction } = await open()
      check(outside.inTransaction() !== true, "outside, it says that it is in a transaction")
      await transaction(async (executor) => {
        check(executor.inTransaction() !== false, "inside, it says that it is in no transaction")
      })
    }
  },
  {
    name: "a statement that fails rejects",
    run: async () => {
      const { outside } = await open()
      const error = await outside.execute("select * from hookrail_nothing", []).then(
        () => undefined,
        (it: unknown) => it
      )
      check(error instanceof Error, "it does not reject with an Error")
    }
  }
]
