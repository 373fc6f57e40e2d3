import { describe, it } from "@effect/vitest"
import { assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { HookrailError } from "../src/index.js"
import { Event, HookrailClient, Topic, Transport } from "../src/index.js"
import { effectProperty } from "./utils/effectProperty.js"

interface Planned {
  readonly n: number
  readonly millis: number
  readonly key?: string | undefined
  readonly error?: "refused" | "defect" | undefined
}

const refused = (n: number) => ({ _tag: "BadRequestError", n }) as unknown as HookrailError.SendError

/** A client that takes as long as an event says, and writes down what begins and ends. */
const plannedClient = () => {
  const log: Array<string> = []
  let running = 0
  let most = 0
  const service: HookrailClient.Service = {
    sendEvent: (_: unknown, payload: unknown) =>
      Effect.suspend(() => {
        const { error, millis, n } = payload as Planned
        log.push(`begin ${n}`)
        most = Math.max(most, ++running)
        return Effect.sleep(millis).pipe(
          Effect.zipRight(
            error === undefined
              ? Effect.succeed({ eventId: String(n), deliveryIds: [], replayed: false, idempotencyKey: String(n) })
              : error === "refused"
              ? Effect.fail(refused(n))
              : Effect.die(new Error("defect"))
          ),
          Effect.onExit((exit) =>
            Effect.sync(() => {
              running--
              log.push(`${Exit.isSuccess(exit) ? "end" : Exit.isInterrupted(exit) ? "interrupt" : "fail"} ${n}`)
            })
          )
        )
      }),
    getEvent: () => Effect.die("unused"),
    sendEncoded: () => Effect.die("unused"),
    awaitEvent: () => Effect.die("unused")
  }
  return { log, most: () => most, running: () => running, layer: Layer.succeed(HookrailClient.HookrailClient, service) }
}

const inputs = (events: ReadonlyArray<Planned>) =>
  events.map((event) => Event.make("t", event, { orderingKey: event.key }))

const plan = (...events: ReadonlyArray<Omit<Planned, "n">>): ReadonlyArray<Planned> =>
  events.map((event, index) => ({ ...event, n: index + 1 }))

/** Runs something while the clock goes on. */
const finish = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("1 hour")
    assertTrue(Exit.isExit(fiber.unsafePoll()))
    return yield* Fiber.await(fiber)
  })

/** The results until the end, and how it ended. */
const resultsOf = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.gen(function*() {
    const results: Array<A> = []
    const exit = yield* Effect.exit(Stream.runForEach(stream, (result) => Effect.sync(() => results.push(result))))
    return { results, exit }
  })

describe("sendEvents", () => {
  it.effect("takes a Stream, and says so", () =>
    Effect.gen(function*() {
      for (const events of [[{ topic: "a", payload: {} }], undefined]) {
        const exit = yield* Effect.exit(
          Stream.runDrain(HookrailClient.sendEvents(events as unknown as Stream.Stream<Event.EventInput>))
        )
        assertTrue(
          String(exit).includes("events: must be a Stream: Stream.fromIterable makes one of a list"),
          String(exit)
        )
      }
    }).pipe(Effect.provide(plannedClient().layer)))

  for (const chunkSize of [1, 4096]) {
    it.live(`loses nothing over a transport that answers at once, in chunks of ${chunkSize}`, () => {
      const body = JSON.stringify({ event_id: "e1", delivery_ids: ["d1"] })
      const transport = Transport.fromCallbacks((_, listener) => {
        listener.resume(Effect.succeed({ status: 202, header: () => undefined, body, truncated: false }))
        return { abort: () => {} }
      })
      let results = 0
      return HookrailClient.sendEvents(
        Stream.range(1, 10_000).pipe(Stream.map((n) => Event.make("t", { n })), Stream.rechunk(chunkSize)),
        { concurrency: 8 }
      ).pipe(
        Stream.runForEach(() => Effect.sync(() => results++)),
        Effect.map(() => strictEqual(results, 10_000)),
        Effect.provide(
          HookrailClient.layer({ apiKey: Redacted.make("k"), baseUrl: "http://h.test" }).pipe(
            Layer.provide(Layer.succeed(Transport.Transport, transport))
          )
        )
      )
    })
  }

  effectProperty(
    "property: gives every result in order, keeps to its concurrency, and sends those of a key one after the other",
    fc.record({
      events: fc.array(
        fc.record({
          millis: fc.nat({ max: 40 }),
          key: fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }),
          error: fc.option(fc.constant("refused" as const), { nil: undefined, freq: 4 })
        }),
        { maxLength: 40 }
      ),
      concurrency: fc.integer({ min: 1, max: 8 }),
      chunkSize: fc.integer({ min: 1, max: 10 }),
      pause: fc.nat({ max: 10 })
    }),
    ({ chunkSize, concurrency, events, pause }) =>
      Effect.gen(function*() {
        const client = plannedClient()
        const planned = plan(...events)
        const exit = yield* HookrailClient.sendEvents(
          Stream.rechunk(Stream.fromIterable(inputs(planned)), chunkSize),
          { concurrency, onError: "collect" }
        ).pipe(
          // A reader who takes its time.
          Stream.tap(() => Effect.sleep(pause)),
          Stream.runCollect,
          Effect.provide(client.layer),
          finish
        )
        assertTrue(Exit.isSuccess(exit))
        deepStrictEqual(
          Array.from(exit.value, (result) => [result._tag, (result.input.payload as Planned).n]),
          planned.map(({ error, n }) => [error === undefined ? "Accepted" : "Failed", n])
        )
        assertTrue(client.most() <= concurrency)
        for (const key of ["a", "b", "c"]) {
          const ofKey = planned.filter((event) => event.key === key)
          deepStrictEqual(
            client.log.filter((line) => ofKey.some(({ n }) => line.endsWith(` ${n}`))),
            ofKey.flatMap(({ error, n }) => [`begin ${n}`, `${error === undefined ? "end" : "fail"} ${n}`])
          )
        }
      }),
    { seed: 11, numRuns: 60 }
  )

  it.effect("as many are under way as may be, if events and reader keep up", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const events = plan(...Array.from({ length: 20 }, () => ({ millis: 10 })))
      const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const ended = yield* HookrailClient.sendEvents(Stream.fromIterable(inputs(events)), { concurrency: 5 }).pipe(
        Stream.runDrain,
        Effect.zipRight(Effect.clockWith((clock) => clock.currentTimeMillis)),
        Effect.provide(client.layer),
        finish
      )
      deepStrictEqual(ended, Exit.succeed(started + 40))
      strictEqual(client.most(), 5)
    }))

  it.effect("gives what came before an error, and interrupts what came after it", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const events = plan({ millis: 50 }, { millis: 10, error: "refused" }, { millis: 900 }, { millis: 1 })
      const { exit, results } = yield* resultsOf(
        HookrailClient.sendEvents(Stream.fromIterable(inputs(events)), { concurrency: 3 }).pipe(
          Stream.provideSomeLayer(client.layer)
        )
      ).pipe(finish, Effect.flatten)
      deepStrictEqual(results.map(({ eventId }) => eventId), ["1"])
      deepStrictEqual(exit, Exit.fail(refused(2)))
      deepStrictEqual(client.log, ["begin 1", "begin 2", "begin 3", "fail 2", "end 1", "interrupt 3"])
    }))

  it.effect("after an error begins nothing that waits for its key, and waits for nothing that will not begin", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const events = plan(
        { millis: 50, key: "a" },
        { millis: 1, key: "a" },
        { millis: 1, key: "a" },
        { millis: 10, key: "b", error: "refused" },
        { millis: 1, key: "b" }
      )
      const { exit, results } = yield* resultsOf(
        HookrailClient.sendEvents(Stream.fromIterable(inputs(events))).pipe(Stream.provideSomeLayer(client.layer))
      ).pipe(finish, Effect.flatten)
      deepStrictEqual(results.map(({ eventId }) => eventId), ["1"])
      deepStrictEqual(exit, Exit.fail(refused(4)))
      deepStrictEqual(client.log, ["begin 1", "begin 4", "fail 4", "end 1"])
    }))

  it.effect("gives all results before the error of the events' stream", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const events = Stream.concat(
        Stream.fromIterable(inputs(plan({ millis: 50 }, { millis: 10 }))),
        Stream.fail("no more" as const)
      )
      const { exit, results } = yield* resultsOf(
        Stream.provideSomeLayer(HookrailClient.sendEvents(events), client.layer)
      ).pipe(finish, Effect.flatten)
      deepStrictEqual(results.map(({ eventId }) => eventId), ["1", "2"])
      deepStrictEqual(exit, Exit.fail("no more" as const))
    }))

  it.effect("a defect ends the stream, of the events or of a send", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      for (
        const events of [
          Stream.die(new Error("defect")),
          Stream.fromIterable(inputs(plan({ millis: 10, error: "defect" }, { millis: 900 })))
        ]
      ) {
        const exit = yield* HookrailClient.sendEvents(events, { onError: "collect" }).pipe(
          Stream.runDrain,
          Effect.provide(client.layer),
          finish
        )
        assertTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      }
      strictEqual(client.running(), 0)
    }))

  it.effect("an event that throws when it is read ends the stream, too", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const thrower = () => {
        throw new Error("getter")
      }
      for (const name of ["topic", "payload", "orderingKey"]) {
        const event = Object.defineProperty({ topic: "t", payload: 1 }, name, { get: thrower })
        const exit = yield* HookrailClient.sendEvents(Stream.make(event)).pipe(
          Stream.runDrain,
          Effect.provide(client.layer),
          finish
        )
        if (name !== "orderingKey") assertTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
      }
    }))

  it.effect("a reader that leaves interrupts what is under way, even where it cannot be interrupted itself", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const closed = yield* Deferred.make<void>()
      const events = Stream.fromIterable(inputs(plan({ millis: 10 }, { millis: 1e9 }, { millis: 1e9 }))).pipe(
        Stream.concat(Stream.never),
        Stream.ensuring(Deferred.succeed(closed, undefined))
      )
      const exit = yield* HookrailClient.sendEvents(events).pipe(
        Stream.take(1),
        Stream.runCollect,
        Effect.uninterruptible,
        Effect.provide(client.layer),
        finish
      )
      assertTrue(Exit.isSuccess(exit))
      strictEqual(Array.from(exit.value).length, 1)
      deepStrictEqual(client.log.slice(3).sort(), ["end 1", "interrupt 2", "interrupt 3"])
      strictEqual(client.running(), 0)
      assertTrue(yield* Deferred.isDone(closed))
    }))

  it.effect("nothing begins after the reader has left, even if the events take their time to end", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const events = Stream.fromIterable(inputs(plan({ millis: 100, key: "a" }, { millis: 1, key: "a" }))).pipe(
        Stream.concat(Stream.fromEffect(Effect.uninterruptible(Effect.as(Effect.sleep("1 minute"), inputs([])[0]!))))
      )
      const fiber = yield* HookrailClient.sendEvents(events).pipe(
        Stream.runDrain,
        Effect.provide(client.layer),
        Effect.fork
      )
      yield* TestClock.adjust(10)
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(interrupting)
      deepStrictEqual(client.log, ["begin 1", "interrupt 1"])
    }))

  it.effect("a reader that does nothing holds the events up", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const events = plan(...Array.from({ length: 100 }, () => ({ millis: 1 })))
      const fiber = yield* HookrailClient.sendEvents(Stream.fromIterable(inputs(events)), { concurrency: 4 }).pipe(
        Stream.rechunk(1),
        Stream.runForEach(() => Effect.never),
        Effect.provide(client.layer),
        Effect.fork
      )
      yield* TestClock.adjust("1 hour")
      // Those that the reader has, and as many behind them.
      assertTrue(client.log.length <= 2 * 2 * 4)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("one after the other go those that share a key in the payload, too", () =>
    Effect.gen(function*() {
      const client = plannedClient()
      const events = plan({ millis: 10 }, { millis: 10 }).map((event) =>
        Event.make("t", { ...event, ordering_key: "ö" })
      )
      yield* HookrailClient.sendEvents(Stream.fromIterable(events)).pipe(
        Stream.runDrain,
        Effect.provide(client.layer),
        finish
      )
      deepStrictEqual(client.log, ["begin 1", "end 1", "begin 2", "end 2"])
    }))

  it.effect("what is no event is refused, with an error as for any other", () =>
    Effect.gen(function*() {
      const layer = HookrailClient.layer({ apiKey: Redacted.make("hk_1"), baseUrl: "http://127.0.0.1:1" }).pipe(
        Layer.provide(Layer.succeed(Transport.Transport, { request: () => Effect.die("unused") }))
      )
      for (const event of [null, undefined, 1, "t", {}, []]) {
        const error = yield* HookrailClient.sendEvents(Stream.make(event as never)).pipe(
          Stream.runDrain,
          Effect.provide(layer),
          Effect.flip
        )
        strictEqual(error._tag, "InvalidArgumentError")
      }
    }))
})

describe("sendEvents, ordered by what goes out", () => {
  const Renamed = Topic.make(
    "t",
    Schema.Struct({
      n: Schema.Number,
      millis: Schema.Number,
      customer: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("ordering_key"))
    })
  )
  const speaking = (n: number, millis: number) => ({ toJSON: () => ({ n, millis, ordering_key: "a" }) })

  it.effect.each(
    [
      [
        "a Schema that renames",
        Event.make(Renamed, { n: 1, millis: 20, customer: "a" }),
        Event.make(Renamed, { n: 2, millis: 0, customer: "a" })
      ],
      ["a toJSON", Event.make("t", speaking(1, 20)), Event.make("t", speaking(2, 0))],
      [
        "a getter",
        Event.make("t", {
          n: 1,
          millis: 20,
          get ordering_key() {
            return "a"
          }
        }),
        Event.make("t", { n: 2, millis: 0, ordering_key: "a" })
      ],
      [
        "the option and the payload",
        Event.make("t", { n: 1, millis: 20 }, { orderingKey: "a" }),
        Event.make("t", { n: 2, millis: 0, ordering_key: "a" })
      ]
    ] as const
  )("%s", ([, first, second]) =>
    Effect.gen(function*() {
      const client = plannedClient()
      const exit = yield* finish(
        Effect.provide(Stream.runDrain(HookrailClient.sendEvents(Stream.make(first, second))), client.layer)
      )
      assertTrue(Exit.isSuccess(exit))
      deepStrictEqual(client.log, ["begin 1", "end 1", "begin 2", "end 2"])
    }))
})

it.effect("a Schema whose encoding dies ends the stream, and nobody waits for ever", () =>
  Effect.gen(function*() {
    const Dying = Topic.make(
      "t",
      Schema.transformOrFail(Schema.Unknown, Schema.Unknown, {
        decode: (value) => Effect.succeed(value),
        encode: () => Effect.delay(Effect.die(new Error("encode")), "1 second")
      })
    )
    const client = Layer.mock(HookrailClient.HookrailClient, {
      sendEvent: ((topic: Topic.Any, payload: never) => topic.encode(payload)) as never
    })
    const exit = yield* finish(
      Effect.provide(
        Stream.runDrain(HookrailClient.sendEvents(Stream.make(Event.make(Dying, 1)), { onError: "collect" })),
        client
      )
    )
    assertTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
  }))

describe("sendEvents, after a failure that may have to be repeated", () => {
  const open = (outcome: string) => ({ _tag: "RetryError", outcome }) as unknown as HookrailError.SendError

  /** A client whose first event of key "a" fails with an error. */
  const failing = (error: HookrailError.SendError) => {
    const sent: Array<number> = []
    const service: HookrailClient.Service = {
      sendEvent: (_: unknown, payload: unknown) =>
        Effect.suspend(() => {
          const n = payload as number
          sent.push(n)
          return Effect.delay(
            n === 1
              ? Effect.fail(error)
              : Effect.succeed({ eventId: String(n), deliveryIds: [], replayed: false, idempotencyKey: String(n) }),
            "10 millis"
          )
        }),
      getEvent: () => Effect.die("unused"),
      sendEncoded: () => Effect.die("unused"),
      awaitEvent: () => Effect.die("unused")
    }
    return { sent, layer: Layer.succeed(HookrailClient.HookrailClient, service) }
  }

  const events = [["a", 1], ["b", 2], ["a", 3], [undefined, 4], ["a", 5], ["b", 6]] as const

  const run = (
    error: HookrailError.SendError,
    options: { readonly holdKeys?: boolean; readonly concurrency: number }
  ) =>
    Effect.gen(function*() {
      const client = failing(error)
      const exit = yield* finish(
        HookrailClient.sendEvents(
          Stream.fromIterable(
            events.map(([orderingKey, n]) => Event.make("t", n, { orderingKey, idempotencyKey: `k${n}` }))
          ),
          { onError: "collect", ...options }
        ).pipe(Stream.runCollect, Effect.provide(client.layer))
      )
      assertTrue(Exit.isSuccess(exit))
      return { sent: [...client.sent].sort(), results: Array.from(exit.value) }
    })

  for (const concurrency of [1, 2, 16]) {
    it.effect(`holds back what shares its key, with concurrency ${concurrency}`, () =>
      Effect.gen(function*() {
        for (const error of [open("unknown"), open("not-sent"), { ...refused(1), outcome: "unknown" } as never]) {
          const { results, sent } = yield* run(error, { concurrency })
          deepStrictEqual(sent, [1, 2, 4, 6])
          deepStrictEqual(
            results.map((result) => result._tag === "Accepted" ? result.accepted.eventId : result.error._tag),
            [error._tag, "2", "OrderingKeyHeldError", "4", "OrderingKeyHeldError", "6"]
          )
          const held = results[2]
          assertTrue(held?._tag === "Failed" && held.error._tag === "OrderingKeyHeldError")
          deepStrictEqual(
            [held.error.topic, held.error.idempotencyKey, held.error.outcome, held.error.orderingKey],
            ["t", "k3", "not-sent", "a"]
          )
        }
      }))
  }

  it.effect("tells at once of an event that is held when it comes", () =>
    Effect.gen(function*() {
      const client = failing(open("unknown"))
      const exit = yield* finish(
        HookrailClient.sendEvents(
          // The reader waits when the second event comes.
          Stream.fromIterable([1, 2, 3]).pipe(
            Stream.rechunk(1),
            Stream.tap(() => Effect.sleep("1 second")),
            Stream.map((n) => Event.make("t", n, { orderingKey: "a", idempotencyKey: `k${n}` }))
          ),
          { onError: "collect", concurrency: 1 }
        ).pipe(Stream.runCollect, Effect.provide(client.layer))
      )
      assertTrue(Exit.isSuccess(exit))
      strictEqual(Array.from(exit.value).length, 3)
    }))

  it.effect("holds nothing back after a refusal, or where it is told not to", () =>
    Effect.gen(function*() {
      const all = [1, 2, 3, 4, 5, 6]
      const refusal = { ...refused(1), outcome: "refused" } as unknown as HookrailError.SendError
      deepStrictEqual((yield* run(refusal, { concurrency: 4 })).sent, all)
      deepStrictEqual((yield* run(open("unknown"), { concurrency: 4, holdKeys: false })).sent, all)
    }))
})
