/** The services that each call reads from its fiber. */
import type { Clock } from "effect/Clock"
import { Clock as ClockTag } from "effect/Clock"
import * as Context from "effect/Context"
import { currentServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberRefs from "effect/FiberRefs"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as RuntimeFlagsPatch from "effect/RuntimeFlagsPatch"
import * as Tracer from "effect/Tracer"

// Not `liveServices`: copies of Effect in one process share the services of the first one that was loaded.
const services = FiberRefs.getOrDefault(FiberRefs.empty(), currentServices)

/** The clock of programs that set no other. */
export const liveClock: Clock = Context.get(services, ClockTag)

/** The default tracer. Its spans go nowhere, so none are created. */
export const noTracer: Tracer.Tracer = Context.get(services, Tracer.Tracer)

const clockOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Clock =>
  Context.get(fiber.currentDefaultServices, ClockTag)

/** Chooses between two effects: with a tracer, or without one. Spans are expensive. */
export const ifTraced = <A, E, R, A2, E2, R2>(
  traced: () => Effect.Effect<A, E, R>,
  untraced: () => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.tracerWith<A | A2, E | E2, R | R2>((tracer) => tracer === noTracer ? untraced() : traced())

/** Reads the clock alone: the facade then contains no tracer. */
export const withOnlyClock = <A, E, R>(body: (clock: Clock) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => body(clockOf(fiber)))

/** Reads what a call needs from its fiber, in one step: the clock, whether there is a tracer, and how to wait. */
export const withClock = <A, E, R>(
  body: (clock: Clock, isTraced: boolean, wait: Wait) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) =>
    body(
      clockOf(fiber),
      fiber.currentTracer !== noTracer,
      RuntimeFlags.interruptible(runtimeFlags) ? waitInterruptibly : asynchronous
    )
  )

/** Uses a service, in one step instead of four. */
export const withService = <I, S, A, E>(
  tag: Context.Tag<I, S>,
  body: (service: S) => Effect.Effect<A, E>
): Effect.Effect<A, E, I> => Effect.withFiberRuntime((fiber) => body(Context.unsafeGet(fiber.currentContext, tag)))

interface Running {
  readonly abort: () => void
}

/** Waits for an operation that calls back; interruption aborts it. */
export type Wait = <A, E>(begin: (resume: (rest: Effect.Effect<A, E>) => void) => Running) => Effect.Effect<A, E>

/** In any region. */
export const asynchronous: Wait = (begin) => Effect.uninterruptibleMask((restore) => waiting(begin, restore))

const disable = RuntimeFlagsPatch.disable(RuntimeFlags.Interruption)
const enable = RuntimeFlagsPatch.enable(RuntimeFlags.Interruption)

const interruptible = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withRuntimeFlagsPatch(effect, enable)

/** In a region that is known to be interruptible: without the step that would find out. */
const waitInterruptibly: Wait = (begin) => Effect.withRuntimeFlagsPatch(waiting(begin, interruptible), disable)

/**
 * It is `Effect.async` with a finalizer, in half the steps: it runs for every request, and a successful one needs no finalizer.
 * Each of them runs once, since they belong to a fiber.
 */
const waiting = <A, E>(
  begin: (resume: (rest: Effect.Effect<A, E>) => void) => Running,
  restore: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  let running: Running | undefined
  return Effect.catchAllCause(
    restore(Effect.async<A, E>((resume) => {
      running = begin(resume)
    })),
    (cause) => {
      running?.abort()
      return Effect.failCause(cause)
    }
  )
}
