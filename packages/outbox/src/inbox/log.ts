/** A log of deliveries in the database, with leases: for handlers with effects outside of it. */
import { uuid } from "hookrail/wire/bytes"
import { checkExecutor } from "../check.js"
import type { Executor } from "../executor/model.js"
import { run } from "../operate/migrate.js"
import { writingOf } from "../sql/dialect.js"
import { type InboxOptions, placeOf } from "./delivery.js"

/**
 * The answer to a claim, as `DeliveryLog` of `@hookrail/promise` has it.
 *
 * @since 0.1.0
 * @category models
 */
export type Claim =
  | { readonly status: "claimed"; readonly token: string }
  | { readonly status: "running" }
  | { readonly status: "done" }

/**
 * A log of deliveries: the interface of `@hookrail/promise`.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryLog {
  /** Claims a delivery, atomically: of any number of concurrent claims, one is `claimed`. An expired one can be taken over. */
  readonly claim: (delivery: string, leaseMs: number) => Promise<Claim>
  /** Extends a claim by another lease from now. Resolves with `false` if the token no longer holds it. */
  readonly renew: (delivery: string, token: string, leaseMs: number) => Promise<boolean>
  /** Marks a delivery as handled, if the token still holds its claim. */
  readonly done: (delivery: string, token: string) => Promise<void>
  /** Removes a claim, if the token still holds it. */
  readonly release: (delivery: string, token: string) => Promise<void>
}

/**
 * A log of deliveries in the database, shared by all processes that use it. Leases are by the database's clock. For handlers whose
 * effects are outside of the database: a crash between the effect and `done` lets the next delivery run the handler again. A
 * handler that only writes to this database does better with `processInTransaction`.
 *
 * Handled deliveries are remembered until `prune` deletes them.
 *
 * @example
 * import { deliveryLog, fromPg } from "@hookrail/outbox"
 * import { createWebhookHandler } from "@hookrail/promise/webhooks"
 * import { Pool } from "pg"
 *
 * const webhooks = createWebhookHandler({
 *   secrets: () => process.env.WEBHOOK_SECRET!,
 *   deliveryLog: deliveryLog(fromPg(new Pool())),
 *   on: { "orders.paid": (webhook) => console.log(webhook.eventId) }
 * })
 *
 * @since 0.1.0
 * @category inbox
 */
export const deliveryLog = (executor: Executor, options?: InboxOptions): DeliveryLog => {
  checkExecutor(executor)
  const { consumer, names } = placeOf(options)
  const isPostgres = executor.dialect === "postgres"
  const { later, now } = writingOf(executor.dialect)
  const own = isPostgres ? `${names.inbox}.` : ""
  const text = (n: number): string => isPostgres ? `$${n}::text` : `$${n}`
  const leaseEnd = later(now, isPostgres ? "$4::float8" : "$4")
  const one = `consumer = ${text(1)} and delivery = ${text(2)}`
  const held = `${one} and token = ${text(3)}`

  const claiming = `insert into ${names.inbox} (consumer, delivery, token, lease_until)
values (${text(1)}, ${text(2)}, ${text(3)}, ${leaseEnd})
on conflict (consumer, delivery) do update set token = excluded.token, lease_until = excluded.lease_until, received_at = ${now}
where ${own}token is not null and ${own}lease_until < ${now} returning token`
  const looking = `select token from ${names.inbox} where ${one}`
  const renewing = `update ${names.inbox} set lease_until = ${leaseEnd} where ${held} returning token`
  const finishing = `update ${names.inbox} set token = null, lease_until = null where ${held}`
  const releasing = `delete from ${names.inbox} where ${held}`

  return {
    claim: async (delivery, leaseMs) => {
      for (let attempt = 0; attempt < 3; attempt++) {
        const token = uuid()
        const claimed = await run(executor, names, "Claiming a delivery", claiming, [
          consumer,
          delivery,
          token,
          leaseMs
        ])
        if (claimed.length > 0) return { status: "claimed", token }
        const [row] = await run(executor, names, "Claiming a delivery", looking, [consumer, delivery])
        if (row !== undefined) return { status: row["token"] === null ? "done" : "running" }
        // It was released in between.
      }
      return { status: "running" }
    },
    renew: async (delivery, token, leaseMs) =>
      (await run(executor, names, "Renewing a claim", renewing, [consumer, delivery, token, leaseMs])).length > 0,
    done: async (delivery, token) => {
      await run(executor, names, "Recording a delivery", finishing, [consumer, delivery, token])
    },
    release: async (delivery, token) => {
      await run(executor, names, "Releasing a claim", releasing, [consumer, delivery, token])
    }
  }
}
