/** The clients under test, behind one interface. */
import { NodeTransport } from "@hookrail/node"
import { Hookrail, HookrailAbortedError, HookrailClosedError } from "@hookrail/promise"
import { Cause, Effect, Exit, Fiber, Redacted } from "effect"
import { HookrailClient, type HookrailError, Transport } from "hookrail"
import { setMaxListeners } from "node:events"
import type { Failure, Result } from "./account.js"
import { Clients } from "./clients.js"
import type { PlannedSend } from "./events.js"

/** Sends an event and reports the result. Never fails. */
export type Sender = (send: PlannedSend) => Effect.Effect<Result>

export interface ClientOptions {
  readonly apiKey: string
  readonly baseUrl: string
  readonly timeoutMs: number
}

/** The maximum number of retries. */
export const maxRetries = 3

/** How long a client tries. */
export const maxElapsedMs = (timeoutMs: number): number => timeoutMs * 20

/** The default options, with all times shortened in proportion. */
const retry = ({ timeoutMs }: ClientOptions, retries: number) => ({
  maxRetries: retries,
  base: timeoutMs / 20,
  maxElapsed: maxElapsedMs(timeoutMs)
})

const settings = (options: ClientOptions) => ({
  baseUrl: options.baseUrl,
  timeout: options.timeoutMs,
  // Shorter than `timeout`, so that both limits are exercised.
  responseTimeout: options.timeoutMs * 0.8,
  retry: retry(options, maxRetries),
  onUnmatched: "ignore"
} as const)

const requestOptions = (send: PlannedSend, options: ClientOptions) => ({
  idempotencyKey: send.key,
  // There are no subscriptions, so it orders nothing: it tells the proxy and the server which send this is.
  orderingKey: String(send.seq),
  retry: retry(options, send.retry ? maxRetries : 0)
})

const succeeded = (
  { eventId, idempotencyKey }: { readonly eventId: string; readonly idempotencyKey: string }
): Result => ({ _tag: "Succeeded", eventId, idempotencyKey })

const failed = (error: unknown): Result => ({
  _tag: "Failed",
  error: typeof error === "object" && error !== null ? error as Failure : { _tag: String(error) }
})

const resultOf = (
  exit: Exit.Exit<{ readonly eventId: string; readonly idempotencyKey: string }, HookrailError.SendError>,
  told: Failure | undefined
): Result => {
  if (Exit.isSuccess(exit)) return succeeded(exit.value)
  return Cause.isInterruptedOnly(exit.cause) ? { _tag: "Interrupted", told } : failed(Cause.squash(exit.cause))
}

/** The Effect client on the undici transport. */
export const effectSender = (options: ClientOptions) =>
  Effect.gen(function*() {
    const transport = yield* NodeTransport.make()
    const client = yield* HookrailClient.make({ ...settings(options), apiKey: Redacted.make(options.apiKey) }).pipe(
      Effect.provideService(Transport.Transport, transport)
    )
    const sender: Sender = (send) => {
      const { interruptAfter, payload, topic } = send
      const call = requestOptions(send, options)
      if (interruptAfter === undefined) {
        return Effect.map(Effect.exit(client.sendEvent(topic, payload, call)), (exit) => resultOf(exit, undefined))
      }
      return Effect.suspend(() => {
        let told: Failure | undefined
        const onInterrupt = (context: Failure) =>
          Effect.sync(() => {
            told = context
          })
        return Effect.fork(client.sendEvent(topic, payload, { ...call, onInterrupt })).pipe(
          Effect.tap(interruptAfter === 0 ? Effect.yieldNow() : Effect.sleep(interruptAfter)),
          Effect.flatMap(Fiber.interrupt),
          Effect.map((exit) => resultOf(exit, told))
        )
      })
    }
    return sender
  })

export interface FacadeOptions extends ClientOptions {
  /** The maximum number of concurrent sends. */
  readonly concurrency: number
  /** A client is closed and replaced with every `closeEvery`th send. */
  readonly closeEvery: number
  readonly report: (violation: string) => void
}

/** How many clients of the facade there are at a time. */
const facades = 2

const isClosed = (error: unknown): boolean => error instanceof HookrailClosedError

/** The Promise facade. */
export const promiseSender = ({ closeEvery, concurrency, report, ...options }: FacadeOptions) =>
  Effect.gen(function*() {
    const clients = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new Clients({
          size: facades,
          closeEvery,
          make: () => new Hookrail({ ...settings(options), apiKey: options.apiKey }),
          drainMs: options.timeoutMs / 4,
          report
        })
      ),
      (clients) => Effect.promise(() => clients.close())
    )
    // Never aborted, and shared by all sends that are not interrupted: leaked listeners pile up on it until Node warns.
    const patient = new AbortController()
    setMaxListeners(concurrency, patient.signal)
    const sender: Sender = (send) =>
      Effect.promise(async () => {
        const { interruptAfter, payload, topic } = send
        const abort = interruptAfter === undefined ? patient : new AbortController()
        const reason = new Error("out of patience")
        const timer = interruptAfter === undefined ? undefined : setTimeout(() => abort.abort(reason), interruptAfter)
        try {
          return succeeded(
            await clients.run((hookrail) => {
              const call = { ...requestOptions(send, options), signal: abort.signal }
              const sending = hookrail.sendEvent(topic, payload, call)
              if (interruptAfter === 0) abort.abort(reason)
              return sending
            }, isClosed)
          )
        } catch (error) {
          return error instanceof HookrailAbortedError && error.cause === reason
            ? { _tag: "Interrupted", told: error }
            : failed(error)
        } finally {
          clearTimeout(timer)
        }
      })
    return { sender, replaced: () => clients.replaced }
  })
