import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import * as Runtime from "effect/Runtime"
import type { Service, WebhookAnswer, WebhookRequest } from "./model.js"

/** `Service.handle` outside of Effect. */
export type Handle = (request: WebhookRequest) => Promise<WebhookAnswer>

/** Without the layer there is nobody to handle it: it comes again, when the program is better. */
const unavailable: WebhookAnswer = { outcome: "failed", status: 500, headers: {} }

/**
 * Handles requests from outside of Effect. Never rejects: a layer that cannot be built, and a runtime that was disposed,
 * are logged and answered with 500.
 */
export const handleWith = <R>(
  runtime: Runtime.Runtime<R> | ManagedRuntime.ManagedRuntime<R, unknown>,
  webhooks: Effect.Effect<Service, never, R>
): Handle => {
  const run: <A>(effect: Effect.Effect<A, never, R>) => Promise<Exit.Exit<A, unknown>> = "runPromiseExit" in runtime
    ? runtime.runPromiseExit
    : Runtime.runPromiseExit(runtime)
  return (request) =>
    run(Effect.flatMap(webhooks, (service) => service.handle(request)))
      .catch((defect: unknown) => Exit.die(defect))
      .then((exit) => {
        if (Exit.isSuccess(exit)) return exit.value
        if (!Cause.isInterruptedOnly(exit.cause)) {
          Effect.runFork(Effect.logError("webhook not handled: Webhooks could not be started", exit.cause))
        }
        return unavailable
      })
}
