import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type { Service, WebhookAnswer, WebhookRequest } from "../receive/model.js"
import { type Direct, Receiver } from "../receive/receive.js"

/** `Service.handle` outside of Effect. */
export type Handle = (request: WebhookRequest) => Promise<WebhookAnswer>

/** Without the layer there is nobody to handle it: Hookrail delivers it again. */
const unavailable: WebhookAnswer = { outcome: "failed", status: 500, headers: {} }

/**
 * Handles requests from outside of Effect. Never rejects: a layer that cannot be built, and a runtime that was disposed,
 * are logged and answered with 500.
 *
 * As a rule that needs no fiber: see `Receiver.on`.
 */
export const handleWith = <R>(
  runtime: Runtime.Runtime<R> | ManagedRuntime.ManagedRuntime<R, unknown>,
  tag: Context.Tag<R, Service>
): Handle => {
  const directOf = (runtime: Runtime.Runtime<R>): Direct | undefined => {
    const service = Option.getOrUndefined(Context.getOption(runtime.context, tag))
    return service instanceof Receiver ? service.on(runtime as Runtime.Runtime<never>) : undefined
  }
  if (!("runPromiseExit" in runtime)) {
    const direct = directOf(runtime)
    return direct === undefined ? inFiber(Runtime.runPromiseExit(runtime), tag) : (request) => handle(direct, request)
  }
  const throughFiber = inFiber(runtime.runPromiseExit, tag)
  const { runtimeEffect } = runtime
  let direct: Direct | undefined
  let isLooking = false
  const lookOnce = (): void => {
    if (isLooking) return
    isLooking = true
    // It is there when a request has been handled. If it cannot be built, the fiber tells.
    runtime.runtime().then((built) => direct = directOf(built), () => {})
  }
  return (request) => {
    // What was disposed has another one.
    if (direct !== undefined && (runtime.runtimeEffect === runtimeEffect || direct.isDraining)) {
      return handle(direct, request)
    }
    lookOnce()
    return throughFiber(request)
  }
}

const handle = (direct: Direct, request: WebhookRequest): Promise<WebhookAnswer> =>
  new Promise((resolve) => direct.receive(request, resolve))

const inFiber = <R>(
  run: <A>(effect: Effect.Effect<A, never, R>) => Promise<Exit.Exit<A, unknown>>,
  tag: Context.Tag<R, Service>
): Handle =>
(request) =>
  run(Effect.flatMap(tag, (service) => service.handle(request)))
    .catch((defect: unknown) => Exit.die(defect))
    .then((exit) => {
      if (Exit.isSuccess(exit)) return exit.value
      if (!Cause.isInterruptedOnly(exit.cause)) {
        Effect.runFork(Effect.logError("webhook not handled: Webhooks could not be started", exit.cause))
      }
      return unavailable
    })
