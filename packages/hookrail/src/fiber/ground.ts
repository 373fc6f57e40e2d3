/**
 * Starts effects from callbacks, so that the common path of a request needs no fiber. Results that are available are used
 * at once, effects that work by callbacks are started as such, and only the rest gets a fiber.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { currentServices } from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import type * as MetricLabel from "effect/MetricLabel"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Tracer from "effect/Tracer"
import { type Abortable, begin, Callback, type Listener, nothing } from "./callback.js"
import { liveClock, noTracer } from "./services.js"

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

/** Runs effects: a runtime, with cached values that are needed often. */
export class Ground {
  readonly clock: Clock.Clock
  readonly isTraced: boolean
  /** The labels of metrics. */
  readonly labels: ReadonlyArray<MetricLabel.MetricLabel>
  private readonly annotations: HashMap.HashMap<string, unknown>
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>

  constructor(readonly runtime: Runtime.Runtime<never>) {
    const services = FiberRefs.getOrDefault(runtime.fiberRefs, currentServices)
    this.clock = Context.get(services, Clock.Clock)
    this.isTraced = Context.get(services, Tracer.Tracer) !== noTracer
    this.labels = FiberRefs.getOrDefault(runtime.fiberRefs, FiberRef.currentMetricLabels)
    this.annotations = FiberRefs.getOrDefault(runtime.fiberRefs, FiberRef.currentLogAnnotations)
    this.fork = Runtime.runFork(runtime)
  }

  /** Makes a ground with other services than those of the runtime. */
  static make(
    context: Context.Context<never>,
    { fiberRefs, runtimeFlags }: Pick<Runtime.Runtime<never>, "fiberRefs" | "runtimeFlags">
  ): Ground {
    return new Ground(Runtime.make({
      context,
      fiberRefs,
      // Effects started from an uninterruptible region stay interruptible.
      runtimeFlags: RuntimeFlags.enable(runtimeFlags, RuntimeFlags.Interruption)
    }))
  }

  /** The current span, if spans are traced. */
  get span(): Tracer.Span | undefined {
    if (!this.isTraced) return undefined
    const span = Option.getOrUndefined(Context.getOption(this.runtime.context, Tracer.ParentSpan))
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
    return observed(this.fork(Effect.exit(effect)), resume)
  }

  /**
   * The same, with annotations for its log. They are set in the refs that the fiber starts with: `Effect.annotateLogs`
   * changes a fiber twice, and compares all annotations each time, which takes longer than everything else about a fiber.
   */
  beginAnnotated<A, E>(
    effect: Effect.Effect<A, E>,
    annotations: () => { readonly [name: string]: unknown },
    resume: Resume<A, E>
  ): Abortable {
    if (effect instanceof Callback || Exit.isExit(effect)) {
      return this.begin(effect, resume)
    }
    const { context, fiberRefs, runtimeFlags } = this.runtime
    const added = annotations()
    const all = HashMap.mutate(this.annotations, (all) => {
      for (const name in added) HashMap.set(all, name, added[name])
    })
    const fork = Runtime.runFork(Runtime.make({
      context,
      runtimeFlags,
      fiberRefs: FiberRefs.updateAs(fiberRefs, {
        fiberId: FiberId.none,
        fiberRef: FiberRef.currentLogAnnotations,
        value: all
      })
    }))
    return observed(fork(Effect.exit(effect)), resume)
  }

  /** Runs an effect for its side effects. Ignores its failures. */
  run(effect: Effect.Effect<unknown, unknown>): void {
    this.fork(Effect.catchAllCause(effect, () => Effect.void))
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

/** Observes a fiber that succeeds with an `Exit`: a fiber that fails would log an unhandled failure. */
const observed = <A, E>(fiber: Fiber.RuntimeFiber<Exit.Exit<A, E>>, resume: Resume<A, E>): Abortable => {
  fiber.addObserver((exit) => resume(Exit.flatten(exit)))
  return new Interruptible(fiber)
}

class Interruptible implements Abortable {
  constructor(private readonly fiber: Fiber.RuntimeFiber<unknown, unknown>) {}

  abort(): void {
    this.fiber.unsafeInterruptAsFork(FiberId.none)
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
