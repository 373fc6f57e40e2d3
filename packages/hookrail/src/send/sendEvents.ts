import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import { OrderingKeyHeldError, type SendError } from "../HookrailError.js"
import type * as Topic from "../Topic.js"
import type { EventAccepted } from "../wire/model.js"
import { orderedPayload } from "../wire/ordering.js"
import { isTyped } from "./encode.js"
import { InOrder, type Job, limitOf } from "./inOrder.js"
import type { EventInput, SendEventsOptions, SendResult, Service } from "./model.js"

type Result = EventAccepted | SendResult
type Sending = Job<Ready, Exit.Exit<Result, SendError>>
type Wake<A, E = never> = (next: Effect.Effect<A, E>) => void

/** An event whose ordering key is known. Its payload is that of the input, or already the JSON value that is sent. */
class Ready {
  constructor(
    readonly input: EventInput,
    readonly topic: string | Topic.Any,
    readonly payload: unknown,
    readonly orderingKey: string | undefined
  ) {}
}

/** An event that threw when it was read: a defect of the caller, reported when it is sent. */
class Unreadable extends Ready {
  constructor(input: EventInput, readonly defect: unknown) {
    super(input, "", undefined, undefined)
  }
}

const readyJson = (input: EventInput, topic: string, json: unknown): Ready => {
  const { orderingKey, payload } = orderedPayload(json)
  return new Ready(input, topic, payload, input.orderingKey ?? orderingKey)
}

/** Finds the ordering key of an event; an effect if its topic has a Schema. */
const ready = (input: EventInput): Ready | Effect.Effect<Ready> => {
  try {
    // Untyped callers may pass anything: what is not an event is refused when it is sent.
    const { orderingKey, payload, topic } = input ?? {}
    if (!isTyped(topic)) return readyJson(input ?? {}, topic, payload)
    return Effect.matchCause(topic.encode(payload as never), {
      // Refused when it is sent. A defect must not end the fiber that reads: nobody would hear of it.
      onFailure: () => new Ready(input, topic, payload, orderingKey),
      onSuccess: (json) => readyJson(input, topic.name, json)
    })
  } catch (defect) {
    return new Unreadable(input, defect)
  }
}

const readyAll = (inputs: Chunk.Chunk<EventInput>): Effect.Effect<ReadonlyArray<Ready>> =>
  Effect.suspend(() => {
    const events = Chunk.toReadonlyArray(inputs).map(ready)
    return events.every((event) => event instanceof Ready)
      ? Effect.succeed(events as ReadonlyArray<Ready>)
      : Effect.forEach(events, (event) => event instanceof Ready ? Effect.succeed(event) : event)
  })

const unsent = (event: Ready, orderingKey: string): OrderingKeyHeldError =>
  new OrderingKeyHeldError({
    topic: String(isTyped(event.topic) ? event.topic.name : event.topic),
    idempotencyKey: event.input.idempotencyKey,
    outcome: "not-sent",
    orderingKey
  })

/** Whether an event may have to be sent again. Later events with its ordering key must then wait. */
const isHeldBy = (result: Result): boolean =>
  "_tag" in result && result._tag === "Failed" &&
  (result.error._tag === "RetryError" || result.error.outcome === "unknown")

/**
 * Takes events from their stream to their results.
 *
 * One fiber reads the stream. Worker fibers send events one after the other; a new one is started only if none is idle. This
 * costs a fraction of `Stream.mapEffect`, which takes a fiber, a deferred and several channel steps per event.
 */
class Flow<E> {
  private readonly workers: Array<Fiber.RuntimeFiber<void>> = []
  private readonly idle: Array<Wake<Sending>> = []
  private readonly sendings = new InOrder<Ready, Exit.Exit<Result, SendError>>((event, key) =>
    Exit.succeed({ _tag: "Failed", input: event.input, error: unsent(event, key) })
  )
  /** Events that were read from the stream, and how many of them were started or queued. */
  private events: ReadonlyArray<Ready> = []
  private begun = 0
  private isBeginning = false
  private beginAgain = false
  /** The error that ends the stream of results: no send starts after it. */
  private failure: Exit.Exit<Result, SendError> | undefined
  /** How the stream of events ended. */
  private end: Effect.Effect<undefined, E> | undefined
  private source: Wake<void> | undefined
  private reader: Wake<Chunk.Chunk<Result> | undefined, E | SendError> | undefined

  constructor(
    private readonly client: Service,
    private readonly runtime: Runtime.Runtime<never>,
    private readonly limit: number,
    private readonly isCollecting: boolean,
    private readonly holdKeys: boolean
  ) {}

  /** Interrupts all sends; no more are started. */
  readonly stop = Effect.suspend(() => {
    this.failure ??= Exit.interrupt(FiberId.none)
    return Fiber.interruptAll(this.workers)
  })

  /** Reads the events, no more than may be in flight. */
  readFrom<R>(pull: Effect.Effect<Chunk.Chunk<EventInput>, Option.Option<E>, R>): Effect.Effect<void, never, R> {
    return Effect.matchCauseEffect(pull, {
      onFailure: (cause) =>
        Effect.sync(() => {
          this.end = Option.match(Cause.flipCauseOption(cause), {
            onNone: () => Effect.succeed(undefined),
            onSome: Effect.failCause
          })
          this.deliver()
        }),
      onSuccess: (inputs) =>
        Effect.flatMap(
          Effect.flatMap(readyAll(inputs), (events) => this.taking(events)),
          () => this.readFrom(pull)
        )
    })
  }

  /** The results in order, in chunks of all that are ready. */
  readonly results: Channel.Channel<Chunk.Chunk<Result>, unknown, E | SendError, unknown, void> = Channel.flatMap(
    Channel.fromEffect(Effect.async<Chunk.Chunk<Result> | undefined, E | SendError>((resume) => {
      this.reader = resume
      this.deliver()
    })),
    (results) => results === undefined ? Channel.void : Channel.flatMap(Channel.write(results), () => this.results)
  )

  /** Takes events in; ends when there is room for another. */
  private taking(events: ReadonlyArray<Ready>): Effect.Effect<void> {
    return Effect.async((resume) => {
      this.events = events
      this.begun = 0
      this.source = resume
      this.beginMore()
    })
  }

  private get hasRoom(): boolean {
    return this.failure === undefined && this.sendings.size < this.limit
  }

  /** In a loop, not recursively: a send may end at once, make room for the next one, and have more events read. */
  private beginMore(): void {
    this.beginAgain = true
    if (this.isBeginning) return
    this.isBeginning = true
    while (this.beginAgain) {
      this.beginAgain = false
      while (this.begun < this.events.length && this.hasRoom) {
        const event = this.events[this.begun++]!
        const sending = this.sendings.add(event, event.orderingKey)
        if (sending !== undefined) this.begin(sending)
      }
      // An event whose key is held has its result as soon as it is added.
      this.deliver()
      const { source } = this
      if (source === undefined || this.begun < this.events.length || !this.hasRoom) continue
      this.source = undefined
      source(Effect.void)
    }
    this.isBeginning = false
  }

  private begin(sending: Sending): void {
    const wake = this.idle.pop()
    if (wake !== undefined) wake(Effect.succeed(sending))
    else this.workers.push(this.hire(sending))
  }

  /** Starts a worker. Interruptible, even if the scope that ends it is in an uninterruptible region. */
  private hire(sending: Sending): Fiber.RuntimeFiber<void> {
    return Runtime.runFork(this.runtime, Effect.interruptible(this.work(sending)), { immediate: false })
  }

  private readonly work = (sending: Sending): Effect.Effect<void> =>
    Effect.flatMap(Effect.exit(Effect.suspend(() => this.send(sending.input))), (exit) => {
      const next = this.finish(sending, exit)
      return next !== undefined ? this.work(next) : Effect.flatMap(this.rest, this.work)
    })

  private readonly rest = Effect.async<Sending>((resume) => {
    this.idle.push(resume)
  })

  private send(event: Ready): Effect.Effect<Result, SendError> {
    if (event instanceof Unreadable) return Effect.die(event.defect)
    const { input, payload, topic } = event
    const sent = this.client.sendEvent(topic as string, payload as {}, input)
    return this.isCollecting
      ? Effect.match(sent, {
        onFailure: (error): Result => ({ _tag: "Failed", input, error }),
        onSuccess: (accepted): Result => ({ _tag: "Accepted", input, accepted })
      })
      : sent
  }

  /** Records the end of a send and returns the one that waited for it. */
  private finish(sending: Sending, exit: Exit.Exit<Result, SendError>): Sending | undefined {
    let next: Sending | undefined
    if (Exit.isFailure(exit)) this.failure ??= exit
    if (this.failure !== undefined) {
      this.sendings.end(sending, exit, this.failure)
    } else if (this.holdKeys && Exit.isSuccess(exit) && isHeldBy(exit.value)) {
      this.sendings.hold(sending, exit)
    } else {
      next = this.sendings.done(sending, exit)
    }
    this.deliver()
    return next
  }

  private deliver(): void {
    const { reader } = this
    if (reader === undefined) return
    const next = this.take()
    if (next === undefined) return
    this.reader = undefined
    reader(next)
    this.beginMore()
  }

  /** What to give to the reader now, if anything. */
  private take(): Effect.Effect<Chunk.Chunk<Result> | undefined, E | SendError> | undefined {
    const results: Array<Result> = []
    for (let exit = this.sendings.ready; exit !== undefined; exit = this.sendings.ready) {
      if (Exit.isSuccess(exit)) {
        results.push(exit.value)
        this.sendings.take()
      } else if (results.length === 0) {
        return Effect.failCause(exit.cause)
      } else {
        break
      }
    }
    if (results.length > 0) return Effect.succeed(Chunk.unsafeFromArray(results))
    return this.sendings.size === 0 ? this.end : undefined
  }
}

/** See `HookrailClient.sendEvents`. */
export const sendEvents = <E, R, R2>(
  client: Effect.Effect<Service, never, R2>,
  events: Stream.Stream<EventInput, E, R>,
  { concurrency, holdKeys = true, onError }: SendEventsOptions<"fail" | "collect"> = {}
): Stream.Stream<EventAccepted | SendResult, E | SendError, R | R2> =>
  Stream.unwrapScoped(Effect.gen(function*() {
    const pull = yield* Stream.toPull(events)
    const runtime = yield* Effect.runtime()
    const flow = new Flow<E>(yield* client, runtime, limitOf(concurrency), onError === "collect", holdKeys)
    yield* Effect.forkScoped(Effect.interruptible(flow.readFrom(pull)))
    // Added last, so that it runs first: closing the stream of events may take a while.
    yield* Effect.addFinalizer(() => flow.stop)
    return Stream.fromChannel(flow.results)
  }))
