/**
 * Starts effects from callbacks, so that the common path of a request needs no fiber. Results that are available are used
 * at once, effects that work by callbacks are started as such, and only the rest gets a fiber.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import { CurrentLogAnnotations } from "effect/References"
import * as Tracer from "effect/Tracer"
import { type Abortable, begin, Callback, type Listener, nothing } from "./callback.js"
import { liveClock } from "./services.js"

/** Receives the result of an effect. */
export type Resume<A, E> = (exit: Exit.Exit<A, E>) => void

/** An effect that needs only the clock to start. */
export class WithClock<A, E> extends Callback<A, E> {
  constructor(readonly at: (clock: Clock.Clock) => Effect.Effect<A, E>) {
    super()
  }

  begin(listener: Listener<A, E>, clock: Clock.Clock): Abortable {
    return begin(this.at(clock), listener, clock)
  }
}

/** A longer timer would fire at once. */
const longestTimer = 2 ** 31 - 1

/** Runs effects: a context, with cached values that are needed often. */
export class Ground {
  readonly clock: Clock.Clock
  readonly isTraced: boolean
  /** The labels of metrics. */
  readonly labels: Metric.Metric.AttributeSet
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

  constructor(readonly context: Context.Context<never>) {
    this.clock = Context.get(context, Clock.Clock)
    this.isTraced = Context.get(context, Tracer.Tracer) !== Tracer.nativeTracer
    this.labels = Context.get(context, Metric.CurrentMetricAttributes)
    this.fork = Effect.runForkWith(context)
  }

  /** The current span, if spans are traced. */
  get span(): Tracer.Span | undefined {
    if (!this.isTraced) return undefined
    const span = Context.getOrUndefined(this.context, Tracer.ParentSpan)
    return span?._tag === "Span" ? span : undefined
  }

  /** Starts an effect. `resume` is called even after an abort, possibly with the interruption. */
  begin<A, E>(effect: Effect.Effect<A, E>, resume: Resume<A, E>): Abortable {
    // Not as a callback: with the clock it becomes another effect, usually a result.
    if (effect instanceof WithClock) return this.begin((effect as WithClock<A, E>).at(this.clock), resume)
    if (effect instanceof Callback) return new Continuation(this, resume).begin(effect as Callback<A, E>)
    if (Exit.isExit(effect)) {
      resume(effect as Exit.Exit<A, E>)
      return nothing
    }
    return observed(this.fork(effect), resume)
  }

  /** The same, with annotations for its log. They are set in the context that the fiber starts with. */
  beginAnnotated<A, E>(
    effect: Effect.Effect<A, E>,
    annotations: () => { readonly [name: string]: unknown },
    resume: Resume<A, E>
  ): Abortable {
    if (effect instanceof Callback || Exit.isExit(effect)) {
      return this.begin(effect, resume)
    }
    const all = { ...Context.get(this.context, CurrentLogAnnotations), ...annotations() }
    const fork = Effect.runForkWith(Context.add(this.context, CurrentLogAnnotations, all))
    return observed(fork(effect), resume)
  }

  /** Runs an effect for its side effects. Ignores its failures. */
  run(effect: Effect.Effect<unknown, unknown>): void {
    this.fork(Effect.catchCause(effect, () => Effect.void))
  }

  /** Calls `run` after a delay. */
  after<A>(millis: number, run: (value: A) => void, value: A): Abortable {
    if (this.clock === liveClock) return new Timer(setTimeout(run, Math.min(millis, longestTimer), value))
    return this.begin(this.clock.sleep(Duration.millis(millis)), (exit) => {
      if (Exit.isSuccess(exit)) run(value)
    })
  }

  /** The same for background work: the timer does not keep the process alive. */
  later<A>(millis: number, run: (value: A) => void, value: A): void {
    if (this.clock !== liveClock) return void this.after(millis, run, value)
    const timer: unknown = setTimeout(run, millis, value)
    // A number in browsers and workers.
    if (typeof timer === "object") (timer as { readonly unref?: () => void }).unref?.()
  }
}

/** Continues with the effect that a callback resumes with. */
class Continuation<A, E> implements Listener<A, E>, Abortable {
  private running = nothing
  private rest = nothing

  constructor(private readonly ground: Ground, private readonly done: Resume<A, E>) {}

  begin(callback: Callback<A, E>): Abortable {
    this.running = callback.begin(this, this.ground.clock)
    return this
  }

  resume(rest: Effect.Effect<A, E>): void {
    this.rest = this.ground.begin(rest, this.done)
  }

  abort(): void {
    this.running.abort()
    this.rest.abort()
  }
}

const observed = <A, E>(fiber: Fiber.Fiber<A, E>, resume: Resume<A, E>): Abortable => {
  fiber.addObserver(resume)
  return new Interruptible(fiber)
}

class Interruptible implements Abortable {
  constructor(private readonly fiber: Fiber.Fiber<unknown, unknown>) {}

  abort(): void {
    this.fiber.interruptUnsafe()
  }
}

class Timer implements Abortable {
  constructor(private readonly timer: ReturnType<typeof setTimeout>) {}

  abort(): void {
    clearTimeout(this.timer)
  }
}

/** A promise made elsewhere. It cannot be aborted: its result is always delivered. */
export class Promised<A, E> extends Callback<A, E> {
  constructor(
    private readonly make: () => PromiseLike<A> | A,
    private readonly failure: (reason: unknown) => Exit.Exit<never, E>
  ) {
    super()
  }

  begin(listener: Listener<A, E>): Abortable {
    let made: PromiseLike<A> | A
    try {
      made = this.make()
    } catch (reason) {
      listener.resume(this.failure(reason))
      return nothing
    }
    void Promise.resolve(made).then(
      (value) => listener.resume(Exit.succeed(value)),
      (reason: unknown) => listener.resume(this.failure(reason))
    )
    return nothing
  }
}

/** The exit for an unexpected throw. */
export const defect = (thrown: unknown): Exit.Exit<never> => Exit.failCause(Cause.die(thrown))
