/** The client over any transport: Promises outside, fibers inside. */
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
import { type Abortable, nothing } from "hookrail/fiber/abortable"
import { Queue, type Queued } from "hookrail/gate/queue"
import * as HookrailConfig from "hookrail/HookrailConfig"
import * as IdempotencyKeys from "hookrail/IdempotencyKeys"
import { awaitOptionsFault } from "hookrail/options/calls"
import { Reason } from "hookrail/options/check"
import { positiveDuration } from "hookrail/options/duration"
import * as internal from "hookrail/send/client"
import type * as Transport from "hookrail/Transport"
import { onAbort } from "./abort.js"
import { argumentError, closedError, configError, fromCore } from "./errors.js"
import { sendEvents } from "./sendEvents.js"
import type * as Types from "./types.js"

type Open = (
  config: HookrailConfig.HookrailConfig
) => Effect.Effect<Transport.Service, unknown, Scope.Scope>

const runSync = <A>(effect: Effect.Effect<A, unknown>): A => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw fromCore(Cause.squash(exit.cause))
}

/** The one a fiber without another would have. */
const clock = Context.get(liveServices, Clock.Clock)

const interrupted = Exit.interrupt(FiberId.none)

/** Begins something; what remains to be done is handed over, at once or later. */
type Begin<A> = (resume: (rest: Effect.Effect<A, unknown>) => void) => Abortable

/** One call under way. Most end without a fiber: there is one only if something remains to be done. */
class Run<A> implements Queued<Run<never>> {
  next: Run<never> | undefined
  previous: Run<never> | undefined
  private isOver = false
  private running = nothing
  private interrupt: (() => void) | undefined
  private leave: (() => void) | undefined

  constructor(
    private readonly runs: Queue<Run<never>>,
    private readonly signal: AbortSignal | undefined,
    private readonly resolve: (value: A) => void,
    private readonly reject: (reason: unknown) => void
  ) {}

  begin(begin: Begin<A>): void {
    // Before it begins: it may end at once, and leaves then.
    this.runs.add(this as Run<never>)
    if (this.signal !== undefined) this.leave = onAbort(this.signal, () => this.cancel())
    this.running = begin((rest) => this.finish(rest))
    // Cancelled on the way, as by a getter of the payload.
    if (this.isOver) this.running.abort()
  }

  cancel(): void {
    if (this.interrupt !== undefined) return this.interrupt()
    this.running.abort()
    this.settle(interrupted)
  }

  private finish(rest: Effect.Effect<A, unknown>): void {
    if (this.isOver) return
    if (Exit.isExit(rest)) return this.settle(rest as Exit.Exit<A, unknown>)
    const interrupt = Effect.runCallback(rest, { onExit: (exit) => this.settle(exit) })
    if (this.isOver) interrupt()
    else this.interrupt = interrupt
  }

  private settle(exit: Exit.Exit<A, unknown>): void {
    if (this.isOver) return
    this.isOver = true
    this.runs.delete(this as Run<never>)
    this.leave?.()
    if (Exit.isSuccess(exit)) this.resolve(exit.value)
    else if (!Cause.isInterrupted(exit.cause)) this.reject(fromCore(Cause.squash(exit.cause)))
    else this.reject(this.signal?.aborted === true ? this.signal.reason : closedError())
  }
}

/** @internal */
export const define = (open: Open): Types.HookrailConstructor => {
  class Hookrail implements Types.Hookrail {
    static readonly name = "Hookrail"
    readonly #client: internal.Client
    readonly #scope: Scope.CloseableScope
    readonly #runs = new Queue<Run<never>>()
    #closing: Promise<void> | undefined

    constructor(given: Types.HookrailOptions = {}) {
      if (typeof given !== "object" || given === null) throw configError("options", "must be an object")
      const { apiKey, ...options } = given
      if (apiKey !== undefined && typeof apiKey !== "string") throw configError("apiKey", "must be a text")
      const config = runSync(HookrailConfig.make({
        ...options,
        apiKey: apiKey === undefined ? undefined : Redacted.make(apiKey)
      }))
      this.#scope = runSync(Scope.make())
      const transport = runSync(Scope.extend(open(config), this.#scope))
      this.#client = internal.make({ config, transport, keys: IdempotencyKeys.random })
    }

    sendEvent(topic: string, payload: {} | null, options: Types.SendOptions = {}): Promise<Types.EventAccepted> {
      return this.#begin(options.signal, (resume) => this.#client.beginSend(clock, topic, payload, options, resume))
    }

    getEvent(eventId: string, options: Types.ReadOptions = {}): Promise<Types.EventStatus> {
      return this.#run(options.signal, () => this.#client.getEvent(eventId, options))
    }

    awaitEvent(eventId: string, options: Types.AwaitOptions = {}): Promise<Types.EventStatus> {
      const { pollInterval, signal } = options
      return this.#run(signal, () => {
        const fault = awaitOptionsFault(options)
        if (fault !== undefined) return Effect.fail(argumentError("options", fault))
        if (pollInterval === undefined) return this.#client.awaitEvent(eventId, options)
        const millis = positiveDuration(pollInterval)
        if (millis instanceof Reason) return Effect.fail(argumentError("pollInterval", millis.text))
        return this.#client.awaitEvent(eventId, { ...options, schedule: Schedule.spaced(millis) })
      })
    }

    sendEvents(events: Types.Events, options?: Types.SendEventsOptions): AsyncIterableIterator<never> {
      return sendEvents(this, events, options) as AsyncIterableIterator<never>
    }

    close(): Promise<void> {
      if (this.#closing === undefined) {
        this.#closing = Effect.runPromise(Scope.close(this.#scope, Exit.void))
        for (const run of this.#runs) run.cancel()
      }
      return this.#closing
    }

    [Symbol.asyncDispose](): Promise<void> {
      return this.close()
    }

    #run<A>(signal: AbortSignal | undefined, effect: () => Effect.Effect<A, unknown>): Promise<A> {
      return this.#begin(signal, (resume) => {
        resume(Effect.suspend(effect))
        return nothing
      })
    }

    #begin<A>(signal: AbortSignal | undefined, begin: Begin<A>): Promise<A> {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason)
        if (this.#closing !== undefined) return reject(closedError())
        new Run(this.#runs, signal, resolve, reject).begin(begin)
      })
    }
  }
  return Hookrail
}
