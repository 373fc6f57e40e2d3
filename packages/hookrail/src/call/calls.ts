/**
 * Carries out calls: sends attempts through the gate, classifies the answers and retries by the policy.
 *
 * The first attempt starts without a fiber, by callbacks, and is usually the only one. Its answer leads to an effect: the
 * result, or the handling of the error with probe and retries.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { type Abortable, begin, Callback, isSuccess, type Listener, nothing } from "../fiber/callback.js"
import { monotonic, monotonicNow } from "../fiber/time.js"
import type { Turn } from "../gate/model.js"
import { noOverload, overloadOf } from "../gate/overload.js"
import type { GateTimeoutError, Service as GateService } from "../gate/service.js"
import type { HookrailConfig, Retry } from "../HookrailConfig.js"
import { resolveRetry } from "../HookrailConfig.js"
import type {
  HookrailError,
  InvalidPayloadError,
  PayloadTooLargeError,
  RetryableError,
  UnmatchedEventError
} from "../HookrailError.js"
import { InvalidArgumentError, isRetryable, RateLimitError, RetryError, ServerError } from "../HookrailError.js"
import { callOptionsFault } from "../options/calls.js"
import { Reason } from "../options/check.js"
import { positiveDuration } from "../options/duration.js"
import * as RetryPolicy from "../RetryPolicy.js"
import type { TransportError } from "../transport/error.js"
import type { TransportRequest, TransportResponse } from "../transport/model.js"
import type { Service as TransportService } from "../transport/service.js"
import type { Outcome } from "../wire/model.js"
import type { Secrets } from "../wire/redact.js"
import { isConclusive, outcomeOf, problemOf, worse } from "./classify.js"
import { type AttemptError, type CallContext, errorOfResponse, errorOfTransport, unexpectedBody } from "./errors.js"
import type { CallMetrics } from "./metrics.js"
import type { Operation } from "./operation.js"
import { noSchedule, type Pause, type Scheduled, unscheduled } from "./pauses.js"

/** Why an attempt failed, as gate, transport or classification report it. */
type AttemptFailure = AttemptError | UnmatchedEventError | TransportError | GateTimeoutError

export type CallError =
  | AttemptError
  | UnmatchedEventError
  | RetryError
  | InvalidArgumentError
  | InvalidPayloadError
  | PayloadTooLargeError

/** Options of a call. */
export interface CallOptions {
  readonly timeout?: Duration.DurationInput | undefined
  readonly retry?: Retry | undefined
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
}

/** Is told which call an effect makes, to report its state later. */
export interface CallObserver {
  call: Interruptible | undefined
}

/** Anything that may be interrupted. */
export interface Interruptible {
  /** The attempts that have ended. */
  readonly attempts: number
  /** What is known about the call if it ends now. */
  readonly interruption: () => CallContext
}

/**
 * Is told of each retry by a policy before its delay begins: the error of the latest attempt, the number of attempts so far, and
 * the delay in milliseconds. It must not throw.
 */
export type OnRetry = (error: RetryableError, attempts: number, delay: number) => void

/** One call, over all of its attempts. A class for the sake of the garbage collector: see `operations.ts`. */
class Call<A> extends Callback<A, CallError> implements Turn, Interruptible {
  attempts = 0
  /** A request was handed to the transport, and has no answer yet. */
  isPending = false
  /** The outcome of the attempts so far. */
  outcome: Outcome = "not-sent"
  /** The latest start of an attempt, by the `Clock`. */
  readonly deadline: number

  constructor(
    private readonly calls: Calls,
    readonly operation: Operation<A>,
    readonly request: TransportRequest,
    readonly retry: HookrailConfig["retry"],
    /** The start of the call, on the monotonic clock. */
    readonly start: number,
    readonly clock: Clock.Clock,
    /** Those that the program has added. */
    readonly headers: CallOptions["headers"]
  ) {
    super()
    this.deadline = RetryPolicy.isRetryPolicy(retry) ? start + retry.maxElapsed : Infinity
  }

  get kind(): Turn["kind"] {
    return this.request.method === "GET" ? "read" : "send"
  }

  context(outcome: Outcome = this.outcome): CallContext {
    return this.operation.context(outcome)
  }

  interruption(): CallContext {
    return this.context(this.isPending ? "unknown" : this.outcome)
  }

  /** Records the outcome of an attempt. */
  attempted(outcome: Outcome): void {
    this.attempts++
    this.isPending = false
    this.outcome = worse(this.outcome, outcome)
  }

  begin(listener: Listener<A, CallError>, clock: Clock.Clock): Abortable {
    const first = new FirstAttempt(this.calls, this, listener)
    first.begin(clock)
    return first
  }
}

class Request implements TransportRequest {
  constructor(
    readonly method: TransportRequest["method"],
    readonly origin: string,
    readonly path: string,
    readonly headers: Readonly<Record<string, string>>,
    readonly body: Uint8Array | undefined,
    readonly responseTimeout: number,
    readonly timeout: number
  ) {}
}

/** A request that notifies its call when it starts. */
class Attempt extends Callback<TransportResponse, TransportError> {
  constructor(
    private readonly call: Call<unknown>,
    private readonly request: Callback<TransportResponse, TransportError>
  ) {
    super()
  }

  begin(listener: Listener<TransportResponse, TransportError>, clock: Clock.Clock): Abortable {
    this.call.isPending = true
    return this.request.begin(listener, clock)
  }
}

/** A first attempt in flight. */
class FirstAttempt<A> implements Listener<TransportResponse, TransportError | GateTimeoutError>, Abortable {
  private isOver = false
  private running = nothing

  constructor(
    private readonly calls: Calls,
    private readonly call: Call<A>,
    private readonly listener: Listener<A, CallError>
  ) {}

  begin(clock: Clock.Clock): void {
    this.running = begin(this.calls.answerOf(this.call), this, clock)
  }

  resume(answer: Effect.Effect<TransportResponse, TransportError | GateTimeoutError>): void {
    if (this.isOver) return
    this.isOver = true
    this.listener.resume(this.calls.conclude(this.call, answer))
  }

  abort(): void {
    if (!this.isOver) this.calls.interrupted(this.call)
    this.isOver = true
    this.running.abort()
  }
}

export class Calls {
  private readonly probe: Effect.Effect<TransportResponse, TransportError>

  constructor(
    private readonly config: HookrailConfig,
    private readonly transport: TransportService,
    private readonly gate: GateService,
    private readonly apiKey: string,
    private readonly scheduled: Scheduled,
    private readonly onRetry?: OnRetry,
    private readonly metrics?: CallMetrics
  ) {
    this.probe = transport.request({
      method: "GET",
      origin: config.origin,
      path: `${config.prefix}/readyz`,
      // Without credentials: `/readyz` needs none.
      headers: { "user-agent": config.userAgent, "accept-encoding": "identity" },
      body: undefined,
      responseTimeout: config.responseTimeout,
      timeout: config.timeout
    })
  }

  /** A call that is ready to run, or the error of its options. */
  prepare<A>(
    clock: Clock.Clock,
    operation: Operation<A>,
    method: TransportRequest["method"],
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    options: CallOptions,
    observer: CallObserver | undefined
  ): Effect.Effect<A, CallError> {
    const { config } = this
    const fault = callOptionsFault(options)
    if (fault !== undefined) return invalidOption(operation, "options", fault)
    const timeout = options.timeout === undefined ? config.timeout : positiveDuration(options.timeout)
    if (timeout instanceof Reason) return invalidOption(operation, "timeout", timeout.text)
    const responseTimeout = Math.min(config.responseTimeout, timeout)
    const request = new Request(method, config.origin, path, headers, body, responseTimeout, timeout)
    const start = monotonicNow(clock)
    if (options.retry === undefined) {
      return this.observed(new Call(this, operation, request, config.retry, start, clock, options.headers), observer)
    }
    const withRetry = (retry: HookrailConfig["retry"]): Effect.Effect<A, CallError> =>
      this.scheduled === unscheduled && !RetryPolicy.isRetryPolicy(retry)
        ? invalidOption(operation, "retry", noSchedule)
        : this.observed(new Call(this, operation, request, retry, start, clock, options.headers), observer)
    const resolved = resolveRetry(options.retry)
    // A call can be started without a fiber, an effect that leads to one cannot.
    return isSuccess(resolved)
      ? withRetry(resolved.value)
      : Effect.matchEffect(resolved, {
        onFailure: ({ option, reason }) =>
          invalidOption(operation, "retry", option === "retry" ? reason : `${option.replace("retry.", "")}: ${reason}`),
        onSuccess: withRetry
      })
  }

  private observed<A>(call: Call<A>, observer: CallObserver | undefined): Call<A> {
    if (observer !== undefined) observer.call = call
    return call
  }

  /** Returns what remains to be done after the answer to a first attempt: usually nothing, just the result. */
  conclude<A>(
    call: Call<A>,
    answer: Effect.Effect<TransportResponse, TransportError | GateTimeoutError>
  ): Effect.Effect<A, CallError> {
    if (!isSuccess(answer)) return this.measured(call, this.recover(call, this.classified(call, answer)))
    try {
      const result = this.classify(call, answer.value)
      if (!isSuccess(result)) return this.measured(call, this.recover(call, result))
      if (this.metrics !== undefined) this.metrics.ended(call, "accepted", "accepted")
      return result
    } catch (defect) {
      // The transport calls this outside of Effect: it must not see a defect.
      return Effect.die(defect)
    }
  }

  /** Counts a call when it ends. */
  private measured<A>(call: Call<A>, rest: Effect.Effect<A, CallError>): Effect.Effect<A, CallError> {
    return this.metrics === undefined ? rest : this.metrics.measured(call, rest)
  }

  private failed(call: Call<unknown>, error: AttemptError | UnmatchedEventError): Effect.Effect<void> {
    return this.metrics === undefined ? Effect.void : this.metrics.failed(call, error)
  }

  /** What no error may show, even if an answer quotes it. Short values are no secrets, and would spoil the text. */
  private secretsOf({ headers }: Call<unknown>): Secrets {
    const values = Object.values(headers ?? {}).filter((value) => value?.[7]) as Array<string>
    return [...values.sort((a, b) => b.length - a.length), this.apiKey]
  }

  private attempted(call: Call<unknown>, outcome: Outcome, isAccepted = false): void {
    call.attempted(outcome)
    if (this.metrics !== undefined) this.metrics.attempted(call, isAccepted ? "accepted" : outcome)
  }

  interrupted(call: Call<unknown>): void {
    this.metrics?.ended(call, "interrupted", call.isPending ? "unknown" : call.outcome)
  }

  /** Handles a failed first attempt, by retrying it if that can help. */
  private recover<A>(call: Call<A>, attempt: Effect.Effect<A, AttemptFailure>): Effect.Effect<A, CallError> {
    return Effect.catchAllCause(attempt, (cause) =>
      Either.match(Cause.failureOrCause(cause), {
        onLeft: (failure) => {
          const error = this.errorOf(call, failure)
          return error._tag === "GateTimeoutError"
            ? gaveUp(call, neverSent(call, error))
            : this.retried(call, error)
        },
        onRight: Effect.failCause
      }))
  }

  /** Sends one request through the gate. */
  answerOf(call: Call<unknown>): Effect.Effect<TransportResponse, TransportError | GateTimeoutError> {
    const request = this.transport.request(call.request)
    const attempt = request instanceof Callback
      ? new Attempt(call, request as Callback<TransportResponse, TransportError>)
      : Effect.suspend(() => {
        call.isPending = true
        return request
      })
    return this.gate.run(attempt, call, overloadOf)
  }

  private attempt<A>(call: Call<A>): Effect.Effect<A, AttemptFailure> {
    return this.classified(call, this.answerOf(call))
  }

  /** Another attempt, unless an earlier one has succeeded after all; `"hidden"` if that cannot be seen. */
  private again<A>(call: Call<A>): Effect.Effect<A, AttemptFailure | "hidden"> {
    if (call.operation.look === undefined || call.outcome !== "unknown") return this.attempt(call)
    return Effect.flatMap(
      call.operation.look(),
      (done): Effect.Effect<A, AttemptFailure | "hidden"> =>
        done === "hidden" ? Effect.fail(done) : done ?? this.attempt(call)
    )
  }

  private classified<A>(
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
    this.attempted(call, failure.phase === "connect" ? "not-sent" : "unknown")
    return errorOfTransport(failure, call.context(), this.secretsOf(call))
  }

  private classify<A>(call: Call<A>, response: TransportResponse): Effect.Effect<A, AttemptFailure> {
    const { operation } = call
    const { status } = response
    if (status >= 200 && status < 300) {
      const result = response.truncated ? operation.readCut?.() : operation.read(response)
      // With a result, too: an interrupt may still come before it, and the event is stored.
      this.attempted(call, "unknown", result !== undefined)
      return result ??
        Effect.fail(unexpectedBody(response, call.context(), this.secretsOf(call), operation.isSecret))
    }
    const secrets = this.secretsOf(call)
    const problem = problemOf(response, secrets)
    const before = call.outcome
    this.attempted(call, outcomeOf(status))
    const context = isConclusive(status, problem) ? call.context("refused") : call.context()
    const own = problem === undefined ? undefined : operation.answered?.(status, problem, before, call.context())
    const answered = own ?? Effect.flatMap(
      Clock.currentTimeMillis,
      (now) => Effect.fail(errorOfResponse(response, problem, context, secrets, now))
    )
    if (!this.config.probeOutages || !operation.isMasked(status)) return answered
    return Effect.flatMap(this.databaseIsDown(call), (down) =>
      down
        ? Effect.fail(new ServerError({ ...context, status: 503, problem, maskedStatus: status }))
        : answered)
  }

  /** Asks the server once whether its database is down. Only a 503 proves that it is. */
  private databaseIsDown(call: Call<unknown>): Effect.Effect<boolean> {
    return Effect.match(
      this.gate.run(this.probe, { kind: "look", attempts: call.attempts, deadline: call.deadline }, noOverload),
      {
        onFailure: () => false,
        onSuccess: (response) => response.status === 503
      }
    )
  }

  private retried<A>(call: Call<A>, error: AttemptError | UnmatchedEventError): Effect.Effect<A, CallError> {
    const reported = this.failed(call, error)
    if (!isRetryable(error)) return Effect.zipRight(reported, Effect.fail(error))
    const { onRetry } = this
    const onDelay = onRetry &&
      ((error: HookrailError, delay: number) => onRetry(error as RetryableError, call.attempts, delay))
    const pauses: Effect.Effect<Pause<RetryableError>> = RetryPolicy.isRetryPolicy(call.retry)
      ? Effect.sync(() => RetryPolicy.pauses(call.retry as RetryPolicy.RetryPolicy, call.start, onDelay))
      : this.scheduled(call.retry)
    return Effect.flatMap(pauses, (pause) => {
      const next = (error: RetryableError): Effect.Effect<A, CallError> =>
        Effect.matchEffect(pause(error), {
          onFailure: () => gaveUp(call, error),
          onSuccess: () =>
            Effect.catchAll(this.again(call), (failure) => {
              if (failure === "hidden") return next(error)
              const latest = this.errorOf(call, failure)
              if (latest._tag === "GateTimeoutError") return gaveUp(call, error)
              return Effect.zipRight(
                this.failed(call, latest),
                isRetryable(latest) ? next(latest) : Effect.fail(latest)
              )
            })
        })
      return Effect.zipRight(reported, next(error))
    })
  }
}

const invalidOption = (operation: Operation<unknown>, argument: "options" | "timeout" | "retry", reason: string) =>
  Effect.fail(new InvalidArgumentError({ ...operation.context("not-sent"), argument, reason }))

/** The error of a call that got no turn: it reports the answer, to another call, that slowed the client down. */
const neverSent = (call: Call<unknown>, { status }: GateTimeoutError): RetryableError =>
  status === 429
    ? new RateLimitError({ ...call.context(), status })
    : new ServerError({ ...call.context(), status })

const gaveUp = (call: Call<unknown>, cause: RetryableError): Effect.Effect<never, RetryError> =>
  Effect.flatMap(monotonic, (now) =>
    Effect.fail(
      new RetryError({
        ...call.context(),
        cause,
        attempts: call.attempts,
        elapsed: Duration.millis(now - call.start)
      })
    ))
