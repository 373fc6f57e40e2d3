/**
 * A claimed delivery: runs its handler and, whatever happens, settles the claim in the end. It may outlive the answer to
 * its request; its claim is then renewed.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import type * as DeliveryLog from "../DeliveryLog.js"
import { nothing } from "../fiber/callback.js"
import { defect, type Ground } from "../fiber/ground.js"
import { toMillis } from "../options/duration.js"
import * as answers from "./answers.js"
import { controlOf, type Rejected, type RetryLater, returnedFault } from "./control.js"
import type { Handler, WebhookAnswer, WebhookEvent } from "./model.js"
import { type Ids, note, textOf } from "./note.js"

/** Shared by all deliveries. */
export interface Shop {
  readonly log: DeliveryLog.Service
  /** The duration of a claim, and the time limit for operations of the log that nobody waits for. */
  readonly lease: Duration.Duration
  readonly leaseMillis: number
  readonly onWorkBegun: () => void
  readonly onWorkEnded: () => void
}

/** Whoever started the work. */
export interface Owner {
  /** The handler has ended: this is the answer, whatever happens next. */
  readonly onHandled: (answer: WebhookAnswer) => void
  /** The claim is settled as well. */
  readonly onSettled: (answer: WebhookAnswer) => void
}

export const idsOf = ({ deliveryId, eventId, topic }: WebhookEvent): Ids => ({
  "hookrail.topic": topic,
  "hookrail.event_id": eventId,
  "hookrail.delivery_id": deliveryId
})

/** The longest `Retry-After`: a year. */
const longestRetryAfter = 31_536_000

export class Work {
  private handling = nothing
  private renewal = nothing
  private bound = nothing
  private isHandled = false
  private isSettled = false

  constructor(
    private readonly shop: Shop,
    private readonly ground: Ground,
    private readonly event: WebhookEvent,
    private readonly key: string,
    private readonly token: string,
    private readonly owner: Owner
  ) {}

  begin(handler: Handler<unknown>): void {
    this.shop.onWorkBegun()
    const { event, ground } = this
    const resume = (exit: Exit.Exit<unknown, unknown>): void => this.onExit(exit)
    try {
      const done = Effect.suspend(() => this.noted("done"))
      const effect = handler.handle(event as WebhookEvent<never>, done) as Effect.Effect<unknown, unknown>
      this.handling = ground.beginAnnotated(effect, () => idsOf(event), resume)
    } catch (thrown) {
      this.onExit(defect(thrown))
    }
  }

  /** Interrupts the handler, if possible. The owner is notified when it has ended. */
  interrupt(): void {
    if (!this.isHandled) this.handling.abort()
  }

  /** The answer was given, but the handler has not ended: renews its claim from now on. */
  outlive(): void {
    if (this.isHandled) return
    this.renewal = this.ground.after(this.shop.leaseMillis / 3, renew, this as Work)
  }

  /** @internal */
  renew(): void {
    if (this.isHandled) return
    // Schedules the next renewal before this one ends: a log that hangs is asked again.
    this.outlive()
    const { ground, key, shop, token } = this
    ground.begin(safely(() => shop.log.renew(key, token, shop.lease)), (exit) => {
      if (this.isHandled) return
      if (Exit.isFailure(exit)) {
        if (!Cause.isInterruptedOnly(exit.cause)) {
          this.note(LogLevel.Error, "the claim of a webhook could not be renewed", exit.cause)
        }
      } else if (!exit.value) {
        this.renewal.abort()
        this.note(LogLevel.Error, "webhook handler interrupted: its claim was over, and another process has taken it")
        this.interrupt()
      }
    })
  }

  private onExit(ended: Exit.Exit<unknown, unknown>): void {
    if (this.isHandled) return
    this.isHandled = true
    this.handling = nothing
    this.renewal.abort()
    const control = controlOf(ended)
    const fault = control === undefined && Exit.isSuccess(ended) ? returnedFault(ended.value) : undefined
    const exit = fault === undefined ? ended : Exit.fail(fault)
    const isDone = Exit.isSuccess(exit) && control === undefined
    const answer = isDone ? answers.handled : control === undefined ? this.failed(exit) : this.controlled(control)
    this.owner.onHandled(answer)
    const operation = isDone ? "done" : "release"
    const { ground, key, shop, token } = this
    ground.begin(safely(() => shop.log[operation](key, token)), (exit) => {
      if (Exit.isFailure(exit)) this.onUnwritten(operation, exit.cause)
      this.settle(answer)
    })
    // Needless in the common case: it is settled already.
    if (!this.isSettled) this.bound = ground.after(shop.leaseMillis, giveUp, [this as Work, operation, answer] as const)
  }

  private settle(answer: WebhookAnswer): void {
    if (this.isSettled) return
    this.isSettled = true
    this.bound.abort()
    this.owner.onSettled(answer)
    this.shop.onWorkEnded()
  }

  /** @internal */
  giveUp(operation: "done" | "release", answer: WebhookAnswer): void {
    if (this.isSettled) return
    this.onUnwritten(operation, Cause.fail(`no answer within ${this.shop.leaseMillis} ms`))
    this.settle(answer)
  }

  private onUnwritten(operation: "done" | "release", cause: Cause.Cause<unknown>): void {
    this.note(
      LogLevel.Error,
      operation === "done"
        ? "the delivery log could not be written: a webhook that was handled may be handled again"
        : "the delivery log could not be written: a webhook that failed waits until its claim is over",
      cause
    )
  }

  /** For adapters that mark a delivery as handled before its handler has ended. */
  private noted(operation: "done"): Effect.Effect<void> {
    return Effect.catchAllCause(
      this.shop.log[operation](this.key, this.token),
      (cause) => Effect.sync(() => this.onUnwritten(operation, cause))
    )
  }

  private controlled(control: RetryLater | Rejected): WebhookAnswer {
    if (control._tag === "Rejected") {
      this.note(LogLevel.Warning, `webhook rejected: ${textOf(control.reason)}`)
      return answers.reject("rejected")
    }
    const after = control.after === undefined ? undefined : toMillis(control.after)
    const text = control.reason === undefined ? "" : `: ${textOf(control.reason)}`
    this.note(LogLevel.Info, `webhook to be retried${text}`)
    return answers.retry(
      "retry",
      after === undefined ? undefined : Math.min(Math.ceil(after / 1000), longestRetryAfter)
    )
  }

  private failed(exit: Exit.Exit<unknown, unknown>): WebhookAnswer {
    if (!Exit.isFailure(exit)) return answers.failed
    if (Cause.isInterruptedOnly(exit.cause)) return answers.retry("interrupted")
    this.note(LogLevel.Error, "webhook handler failed", exit.cause)
    return answers.failed
  }

  private note(level: LogLevel.LogLevel, message: string, cause?: Cause.Cause<unknown>): void {
    note(this.ground, level, message, idsOf(this.event), cause)
  }
}

const renew = (work: Work): void => work.renew()

const giveUp = ([work, operation, answer]: readonly [Work, "done" | "release", WebhookAnswer]): void =>
  work.giveUp(operation, answer)

/** Handles a store that throws instead of returning an effect. */
const safely = <A, E>(make: () => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  try {
    return make()
  } catch (thrown) {
    return defect(thrown)
  }
}
