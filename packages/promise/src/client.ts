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
import * as HookrailConfig from "hookrail/HookrailConfig"
import * as IdempotencyKeys from "hookrail/IdempotencyKeys"
import { type Abortable, nothing } from "hookrail/internal/abortable"
import * as internal from "hookrail/internal/client"
import { toMillis } from "hookrail/internal/duration"
import type { Transport } from "hookrail/Transport"
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

/** @internal */
export const define = (open: Open): Types.HookrailConstructor => {
  class Hookrail implements Types.Hookrail {
    static readonly name = "Hookrail"
    readonly #client: internal.Client
    readonly #scope: Scope.CloseableScope
    readonly #cancels = new Set<() => void>()
    #closing: Promise<void> | undefined

    constructor({ apiKey, ...options }: Types.HookrailOptions = {}) {
      if (apiKey !== undefined && typeof apiKey !== "string") throw configError("apiKey", "must be a string")
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
        if (pollInterval === undefined) return this.#client.awaitEvent(eventId, options)
        const millis = toMillis(pollInterval)
        if (millis === undefined || millis <= 0) {
          return Effect.fail(argumentError("pollInterval", "must be a finite duration above 0"))
        }
        return this.#client.awaitEvent(eventId, { ...options, schedule: Schedule.spaced(millis) })
      })
    }

    sendEvents(events: Types.Events, options?: Types.SendEventsOptions): AsyncIterableIterator<never> {
      return sendEvents(this, events, options) as AsyncIterableIterator<never>
    }

    close(): Promise<void> {
      if (this.#closing === undefined) {
        this.#closing = Effect.runPromise(Scope.close(this.#scope, Exit.void))
        for (const cancel of [...this.#cancels]) cancel()
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

    /** Most calls end without a fiber: there is one only if something remains to be done. */
    #begin<A>(
      signal: AbortSignal | undefined,
      begin: (resume: (rest: Effect.Effect<A, unknown>) => void) => Abortable
    ): Promise<A> {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason)
        if (this.#closing !== undefined) return reject(closedError())
        let running = nothing
        let interrupt: (() => void) | undefined
        const settle = (exit: Exit.Exit<A, unknown>) => {
          this.#cancels.delete(cancel)
          leave?.()
          if (Exit.isSuccess(exit)) resolve(exit.value)
          else if (!Cause.isInterrupted(exit.cause)) reject(fromCore(Cause.squash(exit.cause)))
          else reject(signal?.aborted === true ? signal.reason : closedError())
        }
        const cancel = () => {
          if (interrupt !== undefined) return interrupt()
          running.abort()
          settle(interrupted)
        }
        // Before it begins: it may end at once, and takes them away then.
        this.#cancels.add(cancel)
        const leave = signal === undefined ? undefined : onAbort(signal, cancel)
        running = begin((rest) => {
          if (Exit.isExit(rest)) return settle(rest as Exit.Exit<A, unknown>)
          interrupt = () => undefined
          interrupt = Effect.runCallback(rest, { onExit: settle })
        })
      })
    }
  }
  return Hookrail
}
