import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type { Service, WebhookAnswer, WebhookRequest } from "../receive/model.js"
import { type Direct, Receiver } from "../receive/receive.js"

/** `Service.handle` outside of Effect, with a callback that is called once. */
export type Receive = (request: WebhookRequest, onAnswer: (answer: WebhookAnswer) => void) => void

/** The same with a promise. */
export type Handle = (request: WebhookRequest) => Promise<WebhookAnswer>

export const handleWith = (receive: Receive): Handle => (request) => new Promise((resolve) => receive(request, resolve))

/** Without the layer nothing can handle the request: Hookrail delivers it again. */
const unavailable: WebhookAnswer = { outcome: "failed", status: 500, headers: {} }

/**
 * Handles requests from outside of Effect. Never rejects: if the layer cannot be built, or the runtime was disposed, this
 * is logged and answered with 500.
 *
 * Usually this needs no fiber: see `Receiver.on`.
 */
export const receiveWith = <R>(
  runtime: Runtime.Runtime<R> | ManagedRuntime.ManagedRuntime<R, unknown>,
  tag: Context.Tag<R, Service>
): Receive => {
  const directOf = (runtime: Runtime.Runtime<R>): Direct | undefined => {
    const service = Option.getOrUndefined(Context.getOption(runtime.context, tag))
    return service instanceof Receiver ? service.on(runtime as Runtime.Runtime<never>) : undefined
  }
  if (!("runPromiseExit" in runtime)) {
    const direct = directOf(runtime)
    return direct === undefined
      ? inFiber(Runtime.runPromiseExit(runtime), tag)
      : (request, onAnswer) => direct.receive(request, onAnswer)
  }
  const throughFiber = inFiber(runtime.runPromiseExit, tag)
  const { runtimeEffect } = runtime
  let direct: Direct | undefined
  let isLooking = false
  const lookOnce = (): void => {
    if (isLooking) return
    isLooking = true
    // Built by the time a request has been handled. If it cannot be built, the fiber reports it.
    runtime.runtime().then((built) => direct = directOf(built), () => {})
  }
  return (request, onAnswer) => {
    // A disposed runtime has a different `runtimeEffect`.
    if (direct !== undefined && (runtime.runtimeEffect === runtimeEffect || direct.isDraining)) {
      return direct.receive(request, onAnswer)
    }
    lookOnce()
    throughFiber(request, onAnswer)
  }
}

const inFiber = <R>(
  run: <A>(effect: Effect.Effect<A, never, R>) => Promise<Exit.Exit<A, unknown>>,
  tag: Context.Tag<R, Service>
): Receive =>
(request, onAnswer) =>
  void run(Effect.flatMap(tag, (service) => service.handle(request)))
    .catch((defect: unknown) => Exit.die(defect))
    .then((exit) => {
      if (Exit.isSuccess(exit)) return exit.value
      if (!Cause.isInterruptedOnly(exit.cause)) {
        Effect.runFork(Effect.logError("webhook not handled: Webhooks could not be started", exit.cause))
      }
      return unavailable
    })
    .then(onAnswer)
