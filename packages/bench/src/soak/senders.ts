/** The clients under test, behind one interface. */
import { NodeTransport } from "@hookrail/node"
import { Hookrail } from "@hookrail/promise"
import { Cause, Effect, Exit, Fiber, Redacted } from "effect"
import { HookrailClient, type HookrailError, Transport } from "hookrail"
import { setMaxListeners } from "node:events"
import type { Failure, Result } from "./account.js"
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

/** The default options, with all times shortened in proportion. */
const retry = ({ timeoutMs }: ClientOptions, retries: number) => ({
  maxRetries: retries,
  base: timeoutMs / 20,
  maxElapsed: timeoutMs * 20
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
  exit: Exit.Exit<{ readonly eventId: string; readonly idempotencyKey: string }, HookrailError.SendError>
): Result => {
  if (Exit.isSuccess(exit)) return succeeded(exit.value)
  return Cause.isInterruptedOnly(exit.cause) ? { _tag: "Interrupted" } : failed(Cause.squash(exit.cause))
}

/** The Effect client on the undici transport. */
export const effectSender = (options: ClientOptions) =>
  Effect.gen(function*() {
    const transport = yield* NodeTransport.make()
    const client = yield* HookrailClient.make({ ...settings(options), apiKey: Redacted.make(options.apiKey) }).pipe(
      Effect.provideService(Transport.Transport, transport)
    )
    const sender: Sender = (send) => {
      const sending = client.sendEvent(send.topic, send.payload, requestOptions(send, options))
      if (send.interruptAfter === undefined) return Effect.map(Effect.exit(sending), resultOf)
      return Effect.fork(sending).pipe(
        Effect.tap(send.interruptAfter === 0 ? Effect.yieldNow() : Effect.sleep(send.interruptAfter)),
        Effect.flatMap(Fiber.interrupt),
        Effect.map(resultOf)
      )
    }
    return sender
  })

/** The Promise facade. */
export const promiseSender = (options: ClientOptions, concurrency: number) =>
  Effect.gen(function*() {
    const hookrail = yield* Effect.acquireRelease(
      Effect.sync(() => new Hookrail({ ...settings(options), apiKey: options.apiKey })),
      (hookrail) => Effect.promise(() => hookrail.close())
    )
    // Never aborted, and shared by all sends that are not interrupted: leaked listeners pile up on it until Node warns.
    const patient = new AbortController()
    setMaxListeners(concurrency, patient.signal)
    const sender: Sender = (send) =>
      Effect.promise(async () => {
        const abort = send.interruptAfter === undefined ? patient : new AbortController()
        const reason = new Error("out of patience")
        const timer = send.interruptAfter === undefined
          ? undefined
          : setTimeout(() => abort.abort(reason), send.interruptAfter)
        try {
          const call = { ...requestOptions(send, options), signal: abort.signal }
          const sending = hookrail.sendEvent(send.topic, send.payload, call)
          if (send.interruptAfter === 0) abort.abort(reason)
          return succeeded(await sending)
        } catch (error) {
          return error === reason ? { _tag: "Interrupted" } : failed(error)
        } finally {
          clearTimeout(timer)
        }
      })
    return sender
  })
