/** The client over any transport: promises outside, fibers inside. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type { CallError, CallObserver, Interruptible, OnRetry } from "hookrail/call/calls"
import { noSchedule, unscheduled } from "hookrail/call/pauses"
import type { EventStatus, ReadOptions } from "hookrail/Event"
import { begin, type Listener, nothing } from "hookrail/fiber/callback"
import { Queue, type Queued } from "hookrail/gate/queue"
import { lineOf } from "hookrail/gate/report"
import * as HookrailConfig from "hookrail/HookrailConfig"
import type { ReadError } from "hookrail/HookrailError"
import * as IdempotencyKeys from "hookrail/IdempotencyKeys"
import { awaitOptionsFault, optionsFault } from "hookrail/options/calls"
import { Reason, unknownName } from "hookrail/options/check"
import { positiveDuration } from "hookrail/options/duration"
import { isRetryPolicy } from "hookrail/RetryPolicy"
import { type ClientCalls, make as makeCalls } from "hookrail/send/calls"
import { awaitEvent, type Limited } from "hookrail/send/reader"
import type * as Transport from "hookrail/Transport"
import type { Described } from "hookrail/wire/describe"
import { isTraceparent } from "hookrail/wire/traceparent"
import { onAbort } from "./abort.js"
import { Caller, located } from "./caller.js"
import { type Checks, checksIn, type Found, noCatalogue } from "./catalogue.js"
import { environment } from "./environment.js"
import { abortedError, argumentError, closedError, configError, type RetryableError } from "./errors.js"
import { fromCore } from "./fromCore.js"
import { logOf, tell, type Write } from "./log.js"
import { requireOwner } from "./owner.js"
import { Sending } from "./sendEvents.js"
import type * as Types from "./types.js"
import { Unused } from "./unused.js"

type Open = (
  config: HookrailConfig.HookrailConfig,
  options: Types.TransportOptions | undefined,
  fetch: Types.HookrailOptions["fetch"]
) => Effect.Effect<Opened, unknown>

interface Opened {
  readonly transport: Transport.Service
  readonly close: () => Promise<void>
}

const runSync = <A>(effect: Effect.Effect<A, unknown>): A => {
  // It ends at once. `Effect.runSync` could say so of one that does not, and has a scheduler of its own.
  const exit = Effect.runFork(effect).pollUnsafe()!
  if (Exit.isSuccess(exit)) return exit.value
  throw fromCore(Cause.squash(exit.cause))
}

/** The default clock of fibers. */
const clock = Context.get(Context.empty(), Clock.Clock)

const interrupted = Exit.interrupt()

/** What is known about a send that has not started. A class, like `Read`: they live as long as their call. */
class Send implements Described {
  readonly outcome = "not-sent"
  constructor(readonly topic: string, readonly idempotencyKey: string | undefined) {}
}

class Read implements Described {
  constructor(readonly eventId: string) {}
}

/** Why a call has failed. */
class Failure {
  constructor(readonly error: unknown) {}
}

/** A call in progress. Most need no fiber: one starts only if something remains to be done. */
class Run<A> implements Listener<A, unknown>, CallObserver, Queued<Run<never>> {
  next: Run<never> | undefined
  previous: Run<never> | undefined
  call: Interruptible | undefined
  /** Set if the call fails before `begin` returns: its promise is then never settled. */
  failure: Failure | undefined
  private isOver = false
  private isBeginning = true
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
    this.isBeginning = false
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
    const error = this.errorOf(exit.cause)
    if (this.isBeginning) this.failure = new Failure(error)
    else this.reject(error)
  }

  private errorOf(cause: Cause.Cause<unknown>): unknown {
    if (!Cause.hasInterrupts(cause)) return fromCore(Cause.squash(cause))
    const call = { ...this.about, ...this.call?.interruption() }
    return this.signal?.aborted === true ? abortedError(call, this.signal.reason) : closedError(call)
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

/** `Effect.timeoutOrElse`, whose race of two fibers would be the only one in the bundle. */
const limited: Limited = (effect, millis, onTimeout) =>
  Effect.callback((resume) => {
    const stopTimer = Effect.runCallback(Effect.sleep(millis), {
      onExit: (exit) => {
        if (Exit.isFailure(exit)) return
        resume(Effect.fail(onTimeout()))
        stop()
      }
    })
    const stop = Effect.runCallback(effect, {
      onExit: (exit) => {
        stopTimer()
        resume(exit)
      }
    })
    return Effect.sync(() => {
      stopTimer()
      stop()
    })
  })

/** What the facade has in addition to the options of the core. */
const ownOptions = ["events", "fetch", "log", "onRetry", "traceparent", "transport"]

const checkNames = (options: object, ofTransport: ReadonlyArray<string>): void => {
  const names = [...HookrailConfig.optionNames.filter((name) => name !== "propagateTrace"), ...ownOptions]
  for (const name of Object.keys(options)) {
    if (ofTransport.includes(name)) throw configError(name, `belongs into transport: { ${name} }`)
    if (!names.includes(name)) throw configError(name, unknownName(name, names))
  }
}

const checkFunctions = (functions: object): void => {
  for (const [name, value] of Object.entries(functions)) {
    if (value !== undefined && typeof value !== "function") throw configError(name, "must be a function")
  }
}

const checkOptions = (options: unknown): void => {
  const fault = optionsFault(options)
  if (fault !== undefined) throw located(argumentError("options", fault))
}

const checkSignal = (signal: AbortSignal | undefined): void => {
  if (signal === undefined || typeof signal?.addEventListener === "function") return
  throw located(
    argumentError("options", "signal: must be an AbortSignal, such as controller.signal")
  )
}

/** Tells the user of a retry. Nothing of what they do with it reaches the call. */
const tellRetry = (write: Write, onRetry: Types.HookrailOptions["onRetry"]): OnRetry => (failed, attempts, delay) => {
  const delayMs = Math.round(delay)
  const error = fromCore(failed) as RetryableError
  const { eventId, message, topic } = error
  write({
    level: "info",
    message: `${message} Attempt ${attempts + 1} begins in ${delayMs} ms.`,
    annotations: topic === undefined ? { "hookrail.event_id": eventId } : { "hookrail.topic": topic }
  })
  if (onRetry !== undefined) tell(onRetry, { error, attempts, delayMs })
}

/**
 * @internal
 * @param ofTransport The options of `transport`, which people look for one level too high.
 */
export const define = (open: Open, ofTransport: ReadonlyArray<string> = []): Types.HookrailConstructor => {
  class HookrailClient implements Types.Hookrail {
    static readonly name = "Hookrail"
    readonly #calls: ClientCalls
    readonly #close: () => Promise<void>
    readonly #checks: Checks | undefined
    readonly #runs = new Runs()
    readonly #unused: Unused
    readonly #traceparent: (() => string | undefined) | undefined
    #closing: Promise<void> | undefined

    constructor(given: Types.HookrailOptions = {}) {
      try {
        if (typeof given !== "object" || given === null) {
          throw configError("options", "must be an object, such as { apiKey: \"hk_...\" }")
        }
        checkNames(given, ofTransport)
        const { apiKey, events, fetch, log, onRetry, traceparent, transport: transportOptions, ...options } = given
        if (apiKey !== undefined && typeof apiKey !== "string") throw configError("apiKey", "must be a text")
        if (transportOptions !== undefined && (typeof transportOptions !== "object" || transportOptions === null)) {
          throw configError("transport", "must be an object, such as { proxy: \"http://proxy.example.com:3128\" }")
        }
        const write = logOf(log)
        if (write instanceof Reason) throw configError("log", write.text)
        this.#checks = checksIn(events)
        if (events !== undefined && this.#checks === undefined) throw configError("events", noCatalogue)
        checkFunctions({ fetch, onRetry, traceparent })
        this.#traceparent = traceparent
        const config = runSync(HookrailConfig.makeFrom({
          ...options,
          apiKey: apiKey === undefined ? undefined : Redacted.make(apiKey)
        }, environment))
        if (!isRetryPolicy(config.retry)) throw configError("retry", noSchedule)
        const { close, transport } = runSync(open(config, transportOptions, fetch))
        this.#close = close
        this.#unused = new Unused(write, "sendEvents has sent nothing", "hookrail.sendEvents")
        this.#calls = makeCalls({
          config,
          transport,
          keys: IdempotencyKeys.random,
          report: (change) => write(lineOf(change)),
          log: (line) => Effect.sync(() => write(line)),
          scheduled: unscheduled,
          onRetry: tellRetry(write, onRetry)
        })
      } catch (error) {
        throw located(error)
      }
    }

    // Async, with an `await` of their own, because of the stacks of errors: see `located`.

    async sendEvent(
      topic: string,
      payload: {} | null,
      options: Types.SendOptions = {},
      found?: Found
    ): Promise<Types.EventAccepted> {
      requireOwner(#runs in Object(this), "hookrail.sendEvent")
      checkOptions(options)
      const { idempotencyKey, signal } = options
      const call = this.#begin(
        new Send(String(topic), idempotencyKey),
        signal,
        (observer) => this.#prepare(topic, payload, options, observer, found)
      )
      try {
        return await call
      } catch (error) {
        throw located(error)
      }
    }

    async sendEncoded(event: Types.EncodedEvent, options: Types.SendEncodedOptions = {}): Promise<Types.EventAccepted> {
      requireOwner(#runs in Object(this), "hookrail.sendEncoded")
      checkOptions(options)
      const call = this.#begin(
        new Send(String(event.topic), event.idempotencyKey),
        options.signal,
        (observer) => this.#calls.sender.prepareEncoded(clock, event, options, observer)
      )
      try {
        return await call
      } catch (error) {
        throw located(error)
      }
    }

    async getEvent(eventId: string, options: Types.ReadOptions = {}): Promise<Types.EventStatus> {
      requireOwner(#runs in Object(this), "hookrail.getEvent")
      checkOptions(options)
      const call = this.#begin(
        new Read(String(eventId)),
        options.signal,
        () => this.#calls.reader.prepare(clock, eventId, options)
      )
      try {
        return await call
      } catch (error) {
        throw located(error)
      }
    }

    async awaitEvent(
      eventId: string,
      { pollInterval, signal, ...options }: Types.AwaitOptions = {}
    ): Promise<Types.EventStatus> {
      requireOwner(#runs in Object(this), "hookrail.awaitEvent")
      const call = this.#begin(new Read(String(eventId)), signal, () => {
        const fault = awaitOptionsFault(options, "pollInterval", "signal")
        if (fault !== undefined) return Effect.fail(argumentError("options", fault))
        const read = (id: string, options: ReadOptions) =>
          Effect.suspend(() => this.#calls.reader.prepare(clock, id, options) as Effect.Effect<EventStatus, ReadError>)
        if (pollInterval === undefined) return awaitEvent(read, eventId, options, limited)
        const millis = positiveDuration(pollInterval)
        return millis instanceof Reason
          ? Effect.fail(argumentError("pollInterval", millis.text))
          : awaitEvent(read, eventId, options, limited, Effect.succeed(() => Effect.sleep(millis)))
      })
      try {
        return await call
      } catch (error) {
        throw located(error)
      }
    }

    sendEvents(events: Types.Events, options?: Types.SendEventsOptions): Types.SendingEvents<never> {
      requireOwner(#runs in Object(this), "hookrail.sendEvents")
      const caller = new Caller(this.sendEvents)
      return new Sending(this, events, options, caller, this.#unused, this.#checks) as Types.SendingEvents<never>
    }

    close({ drain = false }: Types.CloseOptions = {}): Promise<void> {
      requireOwner(#runs in Object(this), "hookrail.close")
      const limit = drain === true ? undefined : drain === false ? 0 : positiveDuration(drain)
      if (limit instanceof Reason) return Promise.reject(argumentError("options", `drain: ${limit.text}`))
      this.#unused.tellAll()
      this.#closing ??= this.#runs.ended().then(this.#close)
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

    /** The call that sends an event, or what the catalogue has found for its payload. */
    #prepare(
      topic: string,
      payload: unknown,
      options: Types.SendOptions,
      observer: CallObserver,
      found: Found | Promise<Found> | undefined = this.#checks?.find({ ...options, topic, payload })
    ): Effect.Effect<Types.EventAccepted, CallError> {
      if (found !== undefined) {
        if ("then" in found) {
          return Effect.callback((resume) => {
            void found.then((found) =>
              resume(Effect.suspend(() => this.#prepare(topic, payload, options, observer, found)))
            )
          })
        }
        if (found.error !== undefined) throw found.error
        payload = found.value
      }
      return this.#calls.sender.prepare(clock, topic, payload, options, observer, this.#trace())
    }

    /** Tracing must not keep an event from being sent. */
    #trace(): string | undefined {
      if (this.#traceparent === undefined) return undefined
      try {
        const traceparent = this.#traceparent()
        return isTraceparent(traceparent) ? traceparent : undefined
      } catch {
        return undefined
      }
    }

    /** Begins a call. Throws if it has failed by then, as with a wrong argument: the caller is still on the stack. */
    #begin<A>(
      about: Described,
      signal: AbortSignal | undefined,
      prepare: (observer: CallObserver) => Effect.Effect<A, unknown>
    ): Promise<A> {
      checkSignal(signal)
      if (signal?.aborted === true) throw located(abortedError(about, signal.reason))
      if (this.#closing !== undefined) throw located(closedError(about))
      let failure: Failure | undefined
      const promise = new Promise<A>((resolve, reject) => {
        const run = new Run<A>(this.#runs, about, signal, resolve, reject)
        run.begin(prepare)
        failure = run.failure
      })
      if (failure !== undefined) throw located((failure as Failure).error)
      return promise
    }
  }
  // Which events it takes is checked when they are sent.
  return HookrailClient as Types.HookrailConstructor
}
