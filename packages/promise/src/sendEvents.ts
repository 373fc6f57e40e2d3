/** Sends many events concurrently, with results in order. Keeps only the events in flight in memory. */
import { eventFault, sendEventsFault } from "hookrail/options/calls"
import { InOrder, type Job, limitOf } from "hookrail/send/inOrder"
import { orderedPayload } from "hookrail/wire/ordering"
import { onAbort } from "./abort.js"
import type { Caller } from "./caller.js"
import type { Checks, Found } from "./catalogue.js"
import { abortedError, argumentError, type HookrailError, isHookrailError, RetryError, usedError } from "./errors.js"
import { heldError } from "./fromCore.js"
import type {
  EventAccepted,
  EventInput,
  Events,
  SendEventsOptions,
  SendFailure,
  SendingEvents,
  SendOptions,
  SendResult,
  SendSummary
} from "./types.js"
import type { Unused } from "./unused.js"

type Result = EventAccepted | SendResult

/** What sends each event. `found`: what the catalogue has found for its payload. */
interface Client {
  sendEvent(topic: string, payload: {} | null, options: SendOptions, found?: Found): Promise<EventAccepted>
}

/** An error in place of a result. */
class Failure {
  constructor(readonly error: unknown) {}
}

/** An event whose ordering key is known. Its payload is that of the input, or already the JSON value that is sent. */
class Ready {
  constructor(
    readonly input: EventInput,
    readonly payload: {} | null,
    readonly orderingKey: string | undefined,
    readonly found: Found | undefined
  ) {}
}

/** Untyped callers may pass anything: what is not an event is refused when it is sent. */
const ready = (input: EventInput, found: Found | undefined): Ready => {
  const { orderingKey, payload } = orderedPayload(found === undefined ? input?.payload : found.value)
  return new Ready(input, found === undefined ? payload as {} : input.payload, input?.orderingKey ?? orderingKey, found)
}

type Send = Job<Ready, Result | Failure>

/** Whether an event may have to be sent again. Later events with its ordering key must then wait. */
const isOpen = (error: HookrailError): boolean =>
  error instanceof RetryError || ("outcome" in error && error.outcome === "unknown")

/** The abort reason if the reader stops. */
const stopped = new Error("nobody reads the results any more")

/** Takes events from their source to their results. */
class Flow {
  private readonly sendings = new InOrder<Ready, Result | Failure>(({ input }, key) => ({
    _tag: "Failed",
    input,
    error: this.caller.blame(heldError(input.topic, input.idempotencyKey, key))
  }))
  private readonly controller = new AbortController()
  private readonly limit: number
  private readonly isAsync: boolean
  private source: Iterator<EventInput> | AsyncIterator<EventInput> | undefined
  private isAsking = false
  /** Why no more events come. */
  private end: "exhausted" | Failure | undefined
  /** The error that ends the results: no send starts after it. */
  private failure: Failure | undefined
  /** How many sends are in flight. */
  private running = 0
  private wake = () => {}

  constructor(
    private readonly client: Client,
    private readonly events: Events,
    private readonly options: SendEventsOptions,
    private readonly caller: Caller,
    private readonly checks: Checks | undefined
  ) {
    this.limit = limitOf(options.concurrency)
    this.isAsync = typeof (events as AsyncIterable<EventInput>)?.[Symbol.asyncIterator] === "function"
  }

  async *results(): AsyncGenerator<Result, undefined> {
    try {
      yield* this.resultsInOrder()
    } catch (error) {
      throw this.caller.blame(error)
    }
  }

  private async *resultsInOrder(): AsyncGenerator<Result, undefined> {
    const { controller, options: { signal }, sendings } = this
    const fault = sendEventsFault(this.options)
    if (fault !== undefined) throw argumentError(fault.argument, fault.reason)
    if (signal?.aborted === true) throw abortedError({}, signal.reason)
    const leave = signal === undefined ? undefined : onAbort(signal, () => this.stop(signal.reason))
    try {
      while (true) {
        if (controller.signal.aborted) {
          if (controller.signal.reason === stopped) return
          throw abortedError({}, controller.signal.reason)
        }
        this.ask()
        const result = sendings.ready
        if (result !== undefined) {
          sendings.take()
          if (result instanceof Failure) throw result.error
          yield result
        } else if (this.end === undefined || sendings.size > 0) {
          await this.change()
        } else {
          if (this.end instanceof Failure) throw this.end.error
          return
        }
      }
    } finally {
      leave?.()
      this.stop(stopped)
      await this.closeSource()
      while (this.running > 0) await this.change()
    }
  }

  stop(reason: unknown): void {
    this.controller.abort(reason)
    this.wake()
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }

  // -------------------------------------------------------------------------------------------------------------
  // the source
  // -------------------------------------------------------------------------------------------------------------

  /** No more sends are started. */
  private get isOver(): boolean {
    return this.failure !== undefined || this.controller.signal.aborted
  }

  /** Requests as many events as there is room for. */
  private ask(): void {
    const { limit, sendings } = this
    while (sendings.size < limit && !this.isAsking && this.end === undefined && !this.isOver) {
      try {
        this.source ??= this.open()
        if (this.isAsync) {
          this.isAsking = true
          Promise.resolve(this.source.next()).then((next) => this.answered(next)).catch((error) => this.refused(error))
        } else {
          this.take(this.source.next() as IteratorResult<EventInput>)
        }
      } catch (error) {
        this.refused(error)
      }
    }
  }

  private open(): Iterator<EventInput> | AsyncIterator<EventInput> {
    const { events, isAsync } = this
    if (isAsync) return (events as AsyncIterable<EventInput>)[Symbol.asyncIterator]()
    if (typeof (events as Iterable<EventInput>)?.[Symbol.iterator] === "function") {
      return (events as Iterable<EventInput>)[Symbol.iterator]()
    }
    throw argumentError("events", "must be an iterable or an async iterable: await a Promise of one first")
  }

  private answered(next: IteratorResult<EventInput>, found?: Found): void {
    this.isAsking = false
    // If it is over, the event is dropped.
    if (!this.isOver) this.take(next, found)
    this.ask()
    this.wake()
  }

  private refused(error: unknown): void {
    this.isAsking = false
    this.end = new Failure(error)
    this.wake()
  }

  private take(next: IteratorResult<EventInput>, known?: Found): void {
    if (next.done === true) {
      this.end = "exhausted"
      return
    }
    const input = next.value
    const found = known ?? this.checks?.find(input)
    if (found !== undefined && "then" in found) {
      // Events with the same ordering key begin in their order: the next one waits.
      this.isAsking = true
      void found.then((found) => this.answered(next, found))
    } else {
      const event = ready(input, found)
      const sending = this.sendings.add(event, event.orderingKey)
      if (sending !== undefined) void this.send(sending)
    }
  }

  private async closeSource(): Promise<void> {
    const { end, isAsking, source } = this
    if (end !== undefined) return
    const closing = (async () => source?.return?.())()
    // A source with a pending `next` may never answer, so its `return` is called but not awaited.
    if (isAsking) closing.catch(() => {})
    else await closing
  }

  // -------------------------------------------------------------------------------------------------------------
  // the sends
  // -------------------------------------------------------------------------------------------------------------

  private async send(sending: Send): Promise<void> {
    const { caller, client, controller: { signal }, options: { onError } } = this
    const { found, input, payload } = sending.input
    this.running++
    try {
      const fault = typeof input === "object" && input !== null ? eventFault(input) : undefined
      if (fault !== undefined) throw argumentError("options", fault)
      const { headers, idempotencyKey, orderingKey, topic, traceparent } = input ?? {}
      const accepted = await client.sendEvent(
        topic,
        payload,
        { headers, idempotencyKey, orderingKey, traceparent, signal },
        found
      )
      this.finish(sending, onError === "collect" ? { _tag: "Accepted", input, accepted } : accepted)
    } catch (error) {
      if (onError === "collect" && !signal.aborted && isHookrailError(error)) {
        this.finish(sending, { _tag: "Failed", input, error: caller.blame(error) })
      } else this.finish(sending, this.failure ??= new Failure(error))
    }
  }

  private finish(sending: Send, result: Result | Failure): void {
    this.running--
    if (this.failure !== undefined) {
      this.sendings.end(sending, result, this.failure)
    } else if (
      this.options.holdKeys !== false && "_tag" in result && result._tag === "Failed" && isOpen(result.error)
    ) {
      this.sendings.hold(sending, result)
    } else {
      const next = this.sendings.done(sending, result)
      if (next !== undefined) void this.send(next)
    }
    this.wake()
  }
}

/** How many failures a summary holds: they live as long as it does, however many events there are. */
const maxFailures = 1_000

const failureOf = (index: number, input: EventInput, error: HookrailError): SendFailure => {
  const { idempotencyKey = input?.idempotencyKey, outcome = "not-sent", topic = String(input?.topic) } = error as {
    readonly idempotencyKey?: string
    readonly outcome?: SendFailure["outcome"]
    readonly topic?: string
  }
  return { index, topic, idempotencyKey, outcome, error }
}

const summaryOf = async (results: AsyncIterable<Result>): Promise<SendSummary> => {
  const failures: Array<SendFailure> = []
  let [total, accepted, replayed] = [0, 0, 0]
  for await (const result of results) {
    const index = total++
    if ("_tag" in result && result._tag === "Failed") {
      if (failures.length < maxFailures) failures.push(failureOf(index, result.input, result.error))
    } else {
      accepted++
      if (("_tag" in result ? result.accepted : result).replayed) replayed++
    }
  }
  return { total, accepted, replayed, failed: total - accepted, failures }
}

/**
 * What `sendEvents` returns. It begins when it is first used.
 *
 * @internal
 */
export class Sending implements SendingEvents<Result> {
  readonly [Symbol.toStringTag] = "SendingEvents"
  private readonly flow: Flow
  private readonly results: AsyncGenerator<Result, undefined>
  private use: (() => void) | undefined
  private isIterated = false
  private isOver = false
  private summary: Promise<SendSummary> | undefined

  constructor(
    client: Client,
    events: Events,
    options: SendEventsOptions = {},
    private readonly caller: Caller,
    unused: Unused,
    checks: Checks | undefined
  ) {
    this.flow = new Flow(client, events, options, caller, checks)
    this.results = this.flow.results()
    this.use = unused.watch(this, caller)
  }

  // -------------------------------------------------------------------------------------------------------------
  // iterated
  // -------------------------------------------------------------------------------------------------------------

  async next(): Promise<IteratorResult<Result, undefined>> {
    if (this.summary !== undefined) throw this.misused("it is awaited already")
    this.isIterated = true
    this.begin()
    const next = await this.results.next()
    if (next.done === true) this.isOver = true
    return next
  }

  return(): Promise<IteratorResult<Result, undefined>> {
    if (this.summary !== undefined) return Promise.resolve({ done: true, value: undefined })
    this.isIterated = true
    this.isOver = true
    this.begin()
    // The generator's own `return` would wait for the pending step.
    this.flow.stop(stopped)
    return this.results.return(undefined)
  }

  [Symbol.asyncIterator](): this {
    if (this.isOver) throw this.misused("it is at its end")
    return this
  }

  // -------------------------------------------------------------------------------------------------------------
  // awaited
  // -------------------------------------------------------------------------------------------------------------

  then<A = SendSummary, B = never>(
    onFulfilled?: ((summary: SendSummary) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null
  ): Promise<A | B> {
    return this.whole().then(onFulfilled, onRejected)
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<SendSummary | B> {
    return this.whole().catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<SendSummary> {
    return this.whole().finally(onFinally)
  }

  /** Sends all events. */
  private whole(): Promise<SendSummary> {
    if (this.isIterated) return Promise.reject(this.misused("it is iterated already"))
    this.begin()
    return this.summary ??= summaryOf(this.results)
  }

  /** It is used, in one way or the other. */
  private begin(): void {
    this.use?.()
    this.use = undefined
  }

  private misused(how: string): HookrailError {
    return this.caller.blame(usedError(how))
  }
}
