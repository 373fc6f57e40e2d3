import { checkHandle } from "../check.js"
import type { AnyEvents, EncodedEvent, OutboxEvent } from "./freeze.js"
import { outboxStatement, type StatementOptions } from "./statement.js"

/** A `PrismaClient`. */
export interface PrismaBatch<A> {
  readonly $executeRawUnsafe: (query: string, ...values: Array<never>) => A
}

/**
 * The element that stores an event, for the array form of Prisma's `$transaction`. It begins nothing by itself.
 *
 * @example
 * import { prismaEnqueue } from "@hookrail/outbox"
 *
 * declare const prisma: {
 *   readonly order: { readonly create: (order: object) => Promise<unknown> }
 *   readonly $executeRawUnsafe: (query: string, ...values: Array<unknown>) => Promise<number>
 *   readonly $transaction: (all: Array<Promise<unknown>>) => Promise<unknown>
 * }
 *
 * const place = (order: { readonly id: string }) =>
 *   prisma.$transaction([
 *     prisma.order.create({ data: order }),
 *     prismaEnqueue(prisma, { topic: "orders.created", payload: order, orderingKey: order.id })
 *   ])
 *
 * @since 0.1.0
 * @category enqueueing
 */
export const prismaEnqueue = <A, Sent extends object = AnyEvents>(
  prisma: PrismaBatch<A>,
  event: OutboxEvent<NoInfer<Sent>> | EncodedEvent,
  options: Partial<StatementOptions<Sent>> = {}
): A => {
  checkHandle("prismaEnqueue", prisma, "$executeRawUnsafe", "a PrismaClient")
  const { params, sql } = outboxStatement<Sent>(event, { ...options, dialect: options.dialect ?? "postgres" })
  return prisma.$executeRawUnsafe(sql, ...params as Array<never>)
}
