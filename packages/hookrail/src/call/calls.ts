/**
 * Carries out calls: attempts through the gate, classified, and repeated by the policy.
 *
 * The first attempt begins without a fiber's help, by callbacks, and as a rule it is the only one. What remains when its
 * answer is here is an effect: the result, or the way through the error, the probe and the retries.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import type { ReadOptions } from "../Event.js"
import { type Abortable, abortable, nothing } from "../fiber/abortable.js"
import { isSuccess } from "../fiber/exit.js"
import { type Candidate, DirectGate, type Waiter } from "../gate/gate.js"
import type { Overload, Turn } from "../gate/model.js"
import { noOverload, overloadOf } from "../gate/overload.js"
import type { GateTimeoutError, Service as GateService } from "../gate/service.js"
import type { HookrailConfig } from "../HookrailConfig.js"
import { resolveRetry } from "../HookrailConfig.js"
import type { InvalidPayloadError, Outcome, RetryableError, UnmatchedEventError } from "../HookrailError.js"
import { InvalidArgumentError, isRetryable, RateLimitError, RetryError, ServerError } from "../HookrailError.js"
import { callOptionsFault } from "../options/calls.js"
import { Reason } from "../options/check.js"
import { positiveDuration } from "../options/duration.js"
import * as RetryPolicy from "../RetryPolicy.js"
import type { TransportError } from "../transport/error.js"
import { CallbackRequest } from "../transport/fromCallbacks.js"
import type { TransportRequest, TransportResponse } from "../transport/model.js"
import type { Exchange, Receiver, Service as TransportService } from "../transport/service.js"
import {
  type AttemptError,
  type CallContext,
  errorOfResponse,
  errorOfTransport,
  isConclusive,
  outcomeOf,
  problemOf,
  unexpectedBody
} from "./classify.js"
import type { Operation } from "./operation.js"

type Retry = HookrailConfig["retry"]

/** Why an attempt failed, as the parts tell it. */
type AttemptFailure = AttemptError | UnmatchedEventError | TransportError | GateTimeoutError

export type CallError = AttemptError | UnmatchedEventError | RetryError | InvalidArgumentError | InvalidPayloadError

/** One call, over all of its attempts. A class for the sake of the garbage collector: see `operation.ts`. */
export class Call<A> implements Turn {
  attempts = 0
  /** What the attempts so far leave open. */
  outcome: Outcome = "not-sent"
  /** When the policy's time is used up: no attempt begins later. */
  readonly deadline: number

  constructor(
    readonly operation: Operation<A>,
    readonly request: TransportRequest,
    readonly retry: Retry,
    /** When the call began, by the `Clock`. */
    readonly start: number
  ) {
    this.deadline = RetryPolicy.isRetryPolicy(retry) ? start + retry.maxElapsed : Infinity
  }

  context(outcome: Outcome = this.outcome): CallContext {
    return this.operation.context(outcome)
  }

  /** The worst of all attempts counts: one unknown outcome is not made good by a later refusal. */
  raise(outcome: Outcome): void {
    if (severity[outcome] > severity[this.outcome]) this.outcome = outcome
  }
}

const severity: Record<Outcome, number> = { "not-sent": 0, refused: 1, unknown: 2 }

class Request implements TransportRequest {
  constructor(
    readonly method: "GET" | "POST",
    readonly origin: string,
    readonly path: string,
    readonly headers: Readonly<Record<string, string>>,
    readonly body: Uint8Array | undefined,
    readonly responseTimeout: number,
    readonly timeout: number
  ) {}
}

/** A call that is ready to be carried out, or what has to be done before, or its error. */
export type Prepared<A> = Call<A> | Effect.Effect<A, CallError>

/** Takes what remains to be done: the result, or an effect that leads to it. */
export type Resume<A> = (rest: Effect.Effect<A, CallError>) => void

/** A first attempt under way: it waits for its place in the gate, or for its answer. */
class FirstAttempt<A> implements Candidate, Receiver, Abortable {
  private isOver = false
  private waiter: Waiter | undefined
  private exchange: Exchange = nothing

  constructor(
    private readonly calls: Calls,
    private readonly gate: DirectGate,
    private readonly clock: Clock.Clock,
    private readonly request: CallbackRequest,
    readonly turn: Call<A>,
    private readonly resume: Resume<A>
  ) {}

  /** `false` if it takes a fiber to wait. */
  begin(): boolean {
    const admitted = this.gate.admit(this)
    if (typeof admitted === "object") this.waiter = admitted
    return admitted !== false
  }

  onPlace(): void {
    this.waiter = undefined
    try {
      this.exchange = this.request.begin(this)
    } catch (defect) {
      this.end(Effect.die(defect))
    }
  }

  onPace(waiter: Waiter): void {
    const handOver = () => {
      this.isOver = true
    }
    const answer = this.gate.runFrom(waiter, this.request, overloadOf, handOver)
    this.resume(this.calls.recover(this.turn, this.calls.classified(this.turn, answer)))
  }

  onResponse(response: TransportResponse): void {
    if (this.isOver) return
    // Called from outside of Effect: a defect must not end up in a transport.
    try {
      this.end(this.calls.conclude(this.turn, response), overloadOf(response))
    } catch (defect) {
      this.end(Effect.die(defect))
    }
  }

  onFailure(error: TransportError): void {
    if (this.isOver) return
    this.end(this.calls.recover(this.turn, Effect.fail(error)))
  }

  abort(): void {
    if (this.isOver) return
    if (this.waiter === undefined) {
      this.leave(undefined)
      this.exchange.abort()
    } else {
      this.isOver = true
      this.gate.quit(this.waiter)
    }
  }

  private end(rest: Effect.Effect<A, CallError>, overload?: Overload): void {
    if (this.isOver) return
    this.leave(overload)
    this.resume(rest)
  }

  private leave(overload: Overload | undefined): void {
    this.isOver = true
    this.gate.leave(overload, this.clock)
  }
}

export class Calls {
  private readonly probe: Effect.Effect<TransportResponse, TransportError>

  constructor(
    private readonly config: HookrailConfig,
    private readonly transport: TransportService,
    private readonly gate: GateService,
    private readonly apiKey: string
  ) {
    this.probe = transport.request({
      method: "GET",
      origin: config.origin,
      path: `${config.prefix}/readyz`,
      // No credentials: it needs none.
      headers: { "user-agent": config.userAgent },
      body: undefined,
      responseTimeout: config.responseTimeout,
      timeout: config.timeout
    })
  }

  prepare<A>(
    clock: Clock.Clock,
    operation: Operation<A>,
    method: "GET" | "POST",
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    options: ReadOptions
  ): Prepared<A> {
    const { config } = this
    const fault = callOptionsFault(options)
    if (fault !== undefined) return invalidOption(operation, "options", fault)
    const timeout = options.timeout === undefined ? config.timeout : positiveDuration(options.timeout)
    if (timeout instanceof Reason) return invalidOption(operation, "timeout", timeout.text)
    const responseTimeout = Math.min(config.responseTimeout, timeout)
    const request = new Request(method, config.origin, path, headers, body, responseTimeout, timeout)
    const start = clock.unsafeCurrentTimeMillis()
    if (options.retry === undefined) return new Call(operation, request, config.retry, start)
    return Effect.matchEffect(resolveRetry(options.retry), {
      onFailure: ({ option, reason }) => invalidOption(operation, "retry", `${option} ${reason}`),
      onSuccess: (retry) => this.run(clock, new Call(operation, request, retry, start))
    })
  }

  run<A>(clock: Clock.Clock, prepared: Prepared<A>): Effect.Effect<A, CallError> {
    return prepared instanceof Call ? abortable((resume) => this.begin(clock, prepared, resume)) : prepared
  }

  /** Begins a call without a fiber. What remains may be handed over at once, or when the first answer is here. */
  begin<A>(clock: Clock.Clock, prepared: Prepared<A>, resume: Resume<A>): Abortable {
    const { gate } = this
    if (!(prepared instanceof Call)) {
      resume(prepared)
      return nothing
    }
    const request = this.transport.request(prepared.request)
    if (request instanceof CallbackRequest && gate instanceof DirectGate) {
      const first = new FirstAttempt(this, gate, clock, request, prepared, resume)
      if (first.begin()) return first
    }
    resume(this.recover(prepared, this.attempt(prepared)))
    return nothing
  }

  /** What a first answer leaves to be done: as a rule nothing, it is the result. */
  conclude<A>(call: Call<A>, response: TransportResponse): Effect.Effect<A, CallError> {
    const result = this.classify(call, response)
    return isSuccess(result) ? result : this.recover(call, result)
  }

  /** The first attempt's way out if it fails. The schedule of the others exists from here on. */
  recover<A>(call: Call<A>, attempt: Effect.Effect<A, AttemptFailure>): Effect.Effect<A, CallError> {
    return Effect.catchAllCause(attempt, (cause) =>
      Either.match(Cause.failureOrCause(cause), {
        onLeft: (failure) => {
          const error = this.errorOf(call, failure)
          return error._tag === "GateTimeoutError"
            ? Effect.flip(gaveUp(call, neverSent(call, error)))
            : this.retried(call, error)
        },
        onRight: Effect.failCause
      }))
  }

  /** One request and its answer. */
  private attempt<A>(call: Call<A>): Effect.Effect<A, AttemptFailure> {
    return this.classified(call, this.gate.run(this.transport.request(call.request), call, overloadOf))
  }

  classified<A>(
    call: Call<A>,
    answer: Effect.Effect<TransportResponse, TransportError | GateTimeoutError>
  ): Effect.Effect<A, AttemptFailure> {
    return Effect.flatMap(answer, (response) => this.classify(call, response))
  }

  private errorOf(
    call: Call<unknown>,
    failure: AttemptFailure
  ): AttemptError | UnmatchedEventError | GateTimeoutError {
    if (failure._tag !== "TransportError") return failure
    call.attempts++
    if (failure.phase !== "connect") call.raise("unknown")
    return errorOfTransport(failure, call.context(), this.apiKey)
  }

  private classify<A>(call: Call<A>, response: TransportResponse): Effect.Effect<A, AttemptFailure> {
    const { apiKey } = this
    const { operation } = call
    const { status } = response
    call.attempts++
    if (status >= 200 && status < 300) {
      const result = response.truncated ? undefined : operation.read(response)
      if (result !== undefined) return result
      call.raise("unknown")
      return Effect.fail(unexpectedBody(response, call.context(), apiKey))
    }
    const problem = problemOf(response, apiKey)
    call.raise(outcomeOf(status))
    const context = isConclusive(status, problem) ? call.context("refused") : call.context()
    const answered = Effect.map(
      Clock.currentTimeMillis,
      (now) => errorOfResponse(response, problem, context, apiKey, now)
    )
    if (!this.config.probeOutages || !operation.isMasked(status)) return Effect.flip(answered)
    return Effect.flatMap(this.databaseIsDown(call), (down) =>
      down
        ? Effect.fail(new ServerError({ ...context, status: 503, problem, maskedStatus: status }))
        : Effect.flip(answered))
  }

  /** Asks the server once whether its database is down. Whatever else comes back proves nothing. */
  private databaseIsDown(call: Call<unknown>): Effect.Effect<boolean> {
    return Effect.match(this.gate.run(this.probe, call, noOverload), {
      onFailure: () => false,
      onSuccess: (response) => response.status === 503
    })
  }

  private retried<A>(call: Call<A>, error: AttemptError | UnmatchedEventError): Effect.Effect<A, CallError> {
    if (!isRetryable(error)) return Effect.fail(error)
    const schedule = RetryPolicy.isRetryPolicy(call.retry)
      ? RetryPolicy.scheduleFrom(call.retry, call.start)
      : call.retry
    return Effect.flatMap(Schedule.driver(schedule), (driver) => {
      const next = (error: RetryableError): Effect.Effect<A, CallError> =>
        Effect.matchEffect(driver.next(error), {
          onFailure: () => Effect.flip(gaveUp(call, error)),
          onSuccess: () =>
            Effect.catchAll(this.attempt(call), (failure) => {
              const latest = this.errorOf(call, failure)
              if (latest._tag === "GateTimeoutError") return Effect.flip(gaveUp(call, error))
              return isRetryable(latest) ? next(latest) : Effect.fail(latest)
            })
        })
      return next(error)
    })
  }
}

const invalidOption = (operation: Operation<unknown>, argument: "options" | "timeout" | "retry", reason: string) =>
  Effect.fail(new InvalidArgumentError({ ...operation.context("not-sent"), argument, reason }))

/** The answer that keeps this call waiting stands for one of its own. */
const neverSent = (call: Call<unknown>, { status }: GateTimeoutError): RetryableError =>
  status === 429
    ? new RateLimitError({ ...call.context(), status })
    : new ServerError({ ...call.context(), status })

const gaveUp = (call: Call<unknown>, cause: RetryableError): Effect.Effect<RetryError> =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    new RetryError({
      ...call.context(),
      cause,
      attempts: call.attempts,
      elapsed: Duration.millis(Math.max(0, now - call.start))
    }))
