/** What a catalogue tells the compiler of an event that is enqueued. */
import {
  type EncodedEvent,
  enqueue,
  enqueueMany,
  enqueueSync,
  type Executor,
  type OutboxEvent,
  type OutboxEventOf,
  outboxStatement,
  prismaEnqueue,
  type SyncExecutor
} from "@hookrail/outbox"
import { codec, defineEvents, type StandardSchema } from "@hookrail/promise/events"
import { describe, expect, test } from "tstyche"

declare const Order: StandardSchema<
  { readonly id: string; readonly at: string },
  { readonly id: string; readonly at: Date }
>
declare const Ping: StandardSchema<null>

const events = defineEvents({
  "orders.created": Order,
  "orders.paid": codec(Order, ({ at, id }) => ({ id, at: at.toISOString() })),
  ping: Ping
})

declare const executor: Executor
declare const sync: SyncExecutor
declare const encoded: EncodedEvent

describe("with a catalogue", () => {
  test("the payload is that of the topic, as senders give it", () => {
    expect(enqueue).type.toBeCallableWith(executor, { topic: "orders.created", payload: { id: "o", at: "" } }, {
      events
    })
    expect(enqueue).type.toBeCallableWith(executor, { topic: "orders.paid", payload: { id: "o", at: new Date() } }, {
      events
    })
    expect(enqueue).type.toBeCallableWith(executor, { topic: "ping", payload: null, orderingKey: "k" }, { events })
    expect(enqueue).type.not.toBeCallableWith(executor, { topic: "orders.paid", payload: { id: "o", at: "" } }, {
      events
    })
    expect(enqueue).type.not.toBeCallableWith(executor, { topic: "orders.created", payload: { id: 1, at: "" } }, {
      events
    })
    expect(enqueue).type.not.toBeCallableWith(executor, { topic: "orders.gone", payload: null }, { events })
    expect(enqueue).type.not.toBeCallableWith(executor, { topic: "ping", payload: null, oderingKey: "k" }, { events })
  })

  test("an encoded event goes as it is", () => {
    expect(enqueue).type.toBeCallableWith(executor, encoded, { events })
  })

  test("all ways to enqueue know it", () => {
    const right = { topic: "ping", payload: null } as const
    const wrong = { topic: "ping", payload: 1 } as const
    expect(enqueueMany).type.toBeCallableWith(executor, [right, encoded], { events })
    expect(enqueueMany).type.not.toBeCallableWith(executor, [right, wrong], { events })
    expect(enqueueSync).type.toBeCallableWith(sync, right, { events })
    expect(enqueueSync).type.not.toBeCallableWith(sync, wrong, { events })
    expect(outboxStatement).type.toBeCallableWith(right, { events, dialect: "postgres" as const })
    expect(outboxStatement).type.not.toBeCallableWith(wrong, { events, dialect: "postgres" as const })
    const prisma = { $executeRawUnsafe: (_query: string, ..._values: Array<never>) => Promise.resolve(1) }
    expect(prismaEnqueue(prisma, right, { events })).type.toBe<Promise<number>>()
    expect(prismaEnqueue).type.not.toBeCallableWith(prisma, wrong, { events })
  })

  test("functions of one's own can take its events", () => {
    expect<OutboxEventOf<typeof events>["topic"]>().type.toBe<"orders.created" | "orders.paid" | "ping">()
    expect(enqueue).type.toBeCallableWith(executor, {} as OutboxEventOf<typeof events>, { events })
    expect<OutboxEventOf<string>>().type.toBe<never>()
  })
})

describe("without a catalogue", () => {
  test("any topic and payload will do", () => {
    expect(enqueue).type.toBeCallableWith(executor, { topic: "anything", payload: { at: new Date() } })
    expect(enqueue).type.toBeCallableWith(executor, { topic: "anything", payload: 1 }, { destination: "d" })
    expect(enqueue).type.not.toBeCallableWith(executor, { topic: "anything", payload: undefined })
    expect(enqueue).type.not.toBeCallableWith(executor, { topic: "anything" }, {})
    expect<OutboxEvent["topic"]>().type.toBe<string>()
  })
})
