/** The client over any transport: promises outside, fibers inside. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { liveServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { CallObserver, Interruptible } from "hookrail/call/calls"
import type { EventStatus, ReadOptions } from "hookrail/Event"
import { begin, type Listener, nothing } from "hookrail/fiber/callback"
import { Queue, type Queued } from "hookrail/gate/queue"
import * as HookrailConfig from "hookrail/HookrailConfig"
import type { ReadError } from "hookrail/HookrailError"
import * as IdempotencyKeys from "hookrail/IdempotencyKeys"
import { awaitOptionsFault } from "hookrail/options/calls"
import { Reason } from "hookrail/options/check"
import { positiveDuration } from "hookrail/options/duration"
import { type ClientCalls, make as makeCalls } from "hookrail/send/calls"
import { awaitEvent } from "hookrail/send/reader"
import type * as Transport from "hookrail/Transport"
import type { Described } from "hookrail/wire/describe"
import { onAbort } from "./abort.js"
import { abortedError, argumentError, closedError, configError, fromCore } from "./errors.js"
import { sendEvents } from "./sendEvents.js"
import type * as Types from "./types.js"

type Open = (
  config: HookrailConfig.HookrailConfig,
  options: Types.TransportOptions | undefined
) => Effect.Effect<Transport.Service, unknown, Scope.Scope>

const runSync = <A>(effect: Effect.Effect<A, unknown>): A => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw fromCore(Cause.squash(exit.cause))
}

/** The default clock of fibers. */
const clock = Context.get(liveServices, Clock.Clock)

const interrupted = Exit.interrupt(FiberId.none)

/** What is known about a send that has not started. A class, like `Read`: they live as long as their call. */
class Send implements Described {
  readonly outcome = "not-sent"
  constructor(readonly topic: string, readonly idempotencyKey: string | undefined) {}
}

class Read implements Described {
  constructor(readonly eventId: string) {}
}

/** A call in progress. Most need no fiber: one starts only if something remains to be done. */
class Run<A> implements Listener<A, unknown>, CallObserver, Queued<Run<never>> {
  next: Run<never> | undefined
  previous: Run<never> | undefined
  call: Interruptible | undefined
  private isOver = false
  private running = nothing
  private interrupt: (() => void) | undefined
  private leave: (() => void) | undefined

  constructor(
    private readonly runs: Runs,
    private readonly about: Described,
    private readonly signal: AbortSignal | undefined,
    private readonly resolve: (value: A) => void,
    private readonly reject: (reason: unknown) => void
  ) {}

  begin(prepare: (observer: CallObserver) => Effect.Effect<A, unknown>): void {
    // Added before it starts: it may end at once, and then removes itself.
    this.runs.add(this as Run<never>)
    if (this.signal !== undefined) this.leave = onAbort(this.signal, () => this.cancel())
    let effect: Effect.Effect<A, unknown>
    try {
      effect = prepare(this)
    } catch (defect) {
      // A getter in the options may have thrown.
      effect = Effect.die(defect)
    }
    // A getter in the payload may have cancelled the call.
    if (!this.isOver) this.running = begin(effect, this, clock)
  }

  resume(rest: Effect.Effect<A, unknown>): void {
    if (this.isOver) return
    if (Exit.isExit(rest)) return this.settle(rest as Exit.Exit<A, unknown>)
    const interrupt = Effect.runCallback(rest, { onExit: (exit) => this.settle(exit) })
    if (this.isOver) interrupt()
    else this.interrupt = interrupt
  }

  cancel(): void {
    if (this.interrupt !== undefined) return this.interrupt()
    this.running.abort()
    this.settle(interrupted)
  }

  private settle(exit: Exit.Exit<A, unknown>): void {
    if (this.isOver) return
    this.isOver = true
    this.runs.delete(this as Run<never>)
    this.leave?.()
    if (Exit.isSuccess(exit)) return this.resolve(exit.value)
    if (!Cause.isInterrupted(exit.cause)) return this.reject(fromCore(Cause.squash(exit.cause)))
    const call = { ...this.about, ...this.call?.interruption() }
    this.reject(this.signal?.aborted === true ? abortedError(call, this.signal.reason) : closedError(call))
  }
}

/** The calls in progress. */
class Runs extends Queue<Run<never>> {
  private whenEmpty: (() => void) | undefined

  override delete(run: Run<never>): void {
    super.delete(run)
    if (this.size === 0) this.whenEmpty?.()
  }

  /** The last one first, so that no call that is about to be cancelled takes a free place in the gate. */
  cancel(): void {
    for (const run of [...this].reverse()) run.cancel()
  }

  /** Resolves when all calls have ended. */
  ended(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => {
      this.whenEmpty = resolve
    })
  }
}

/** @internal */
export const define = (open: Open): Types.HookrailConstructor => {
  class Hookrail implements Types.Hookrail {
    static readonly name = "Hookrail"
    readonly #calls: ClientCalls
    readonly #scope: Scope.CloseableScope
    readonly #runs = new Runs()
    #closing: Promise<void> | undefined

    constructor(given: Types.HookrailOptions = {}) {
      if (typeof given !== "object" || given === null) throw configError("options", "must be an object")
      const { apiKey, transport: transportOptions, ...options } = given
      if (apiKey !== undefined && typeof apiKey !== "string") throw configError("apiKey", "must be a text")
      if (transportOptions !== undefined && (typeof transportOptions !== "object" || transportOptions === null)) {
        throw configError("transport", "must be an object, such as { proxy: \"http://proxy.example.com:3128\" }")
      }
      const config = runSync(HookrailConfig.make({
        ...options,
        apiKey: apiKey === undefined ? undefined : Redacted.make(apiKey)
      }))
      this.#scope = runSync(Scope.make())
      const transport = runSync(Scope.extend(open(config, transportOptions), this.#scope))
      this.#calls = makeCalls({ config, transport, keys: IdempotencyKeys.random })
    }

    sendEvent(topic: string, payload: {} | null, options: Types.SendOptions = {}): Promise<Types.EventAccepted> {
      const { idempotencyKey, signal } = options
      return this.#run(
        new Send(String(topic), idempotencyKey),
        signal,
        (observer) => this.#calls.sender.prepare(clock, topic, payload, options, observer)
      )
    }

    sendEncoded(event: Types.EncodedEvent, options: Types.SendEncodedOptions = {}): Promise<Types.EventAccepted> {
      return this.#run(
        new Send(String(event.topic), event.idempotencyKey),
        options.signal,
        (observer) => this.#calls.sender.prepareEncoded(clock, event, options, observer)
      )
    }

    getEvent(eventId: string, options: Types.ReadOptions = {}): Promise<Types.EventStatus> {
      return this.#run(
        new Read(String(eventId)),
        options.signal,
        () => this.#calls.reader.prepare(clock, eventId, options)
      )
    }

    awaitEvent(
      eventId: string,
      { pollInterval, signal, ...options }: Types.AwaitOptions = {}
    ): Promise<Types.EventStatus> {
      return this.#run(new Read(String(eventId)), signal, () => {
        const fault = awaitOptionsFault(options, "pollInterval", "signal")
        if (fault !== undefined) return Effect.fail(argumentError("options", fault))
        const read = (id: string, options: ReadOptions) =>
          Effect.suspend(() => this.#calls.reader.prepare(clock, id, options) as Effect.Effect<EventStatus, ReadError>)
        if (pollInterval === undefined) return awaitEvent(read, eventId, options)
        const millis = positiveDuration(pollInterval)
        return millis instanceof Reason
          ? Effect.fail(argumentError("pollInterval", millis.text))
          : awaitEvent(read, eventId, { ...options, schedule: Schedule.spaced(millis) })
      })
    }

    sendEvents(events: Types.Events, options?: Types.SendEventsOptions): AsyncIterableIterator<never> {
      return sendEvents(this, events, options) as AsyncIterableIterator<never>
    }

    close({ drain = false }: Types.CloseOptions = {}): Promise<void> {
      const limit = drain === true ? undefined : drain === false ? 0 : positiveDuration(drain)
      if (limit instanceof Reason) return Promise.reject(argumentError("options", `drain: ${limit.text}`))
      this.#closing ??= this.#runs.ended().then(() => Effect.runPromise(Scope.close(this.#scope, Exit.void)))
      if (limit === 0) {
        this.#runs.cancel()
      } else if (limit !== undefined) {
        const timer = setTimeout(() => this.#runs.cancel(), Math.min(limit, 2 ** 31 - 1))
        void this.#closing.finally(() => clearTimeout(timer))
      }
      return this.#closing
    }

    [Symbol.asyncDispose](): Promise<void> {
      return this.close({ drain: true })
    }

    #run<A>(
      about: Described,
      signal: AbortSignal | undefined,
      prepare: (observer: CallObserver) => Effect.Effect<A, unknown>
    ): Promise<A> {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(abortedError(about, signal.reason))
        if (this.#closing !== undefined) return reject(closedError(about))
        new Run(this.#runs, about, signal, resolve, reject).begin(prepare)
      })
    }
  }
  return Hookrail
}
