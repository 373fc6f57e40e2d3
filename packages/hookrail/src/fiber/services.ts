/** The services that each call reads from its fiber. */
import type { Clock } from "effect/Clock"
import { Clock as ClockTag } from "effect/Clock"
import * as Context from "effect/Context"
import { currentServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as FiberRefs from "effect/FiberRefs"
import * as Tracer from "effect/Tracer"

// Not `liveServices`: copies of Effect in one process share the services of the first one that was loaded.
const services = FiberRefs.getOrDefault(FiberRefs.empty(), currentServices)

/** The clock of programs that set no other. */
export const liveClock: Clock = Context.get(services, ClockTag)

/** The default tracer. Its spans go nowhere, so none are created. */
export const noTracer: Tracer.Tracer = Context.get(services, Tracer.Tracer)

/** Chooses between two effects: with a tracer, or without one. Spans are expensive. */
export const ifTraced = <A, E, R, A2, E2, R2>(
  traced: () => Effect.Effect<A, E, R>,
  untraced: () => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.tracerWith<A | A2, E | E2, R | R2>((tracer) => tracer === noTracer ? untraced() : traced())

/** Reads the clock alone: the facade then contains no tracer. */
export const withOnlyClock = <A, E, R>(body: (clock: Clock) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => body(Context.get(fiber.getFiberRef(currentServices), ClockTag)))

/** Reads the clock, and whether there is a tracer, in one step. */
export const withClock = <A, E, R>(
  body: (clock: Clock, isTraced: boolean) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const services = fiber.getFiberRef(currentServices)
    return body(Context.get(services, ClockTag), Context.get(services, Tracer.Tracer) !== noTracer)
  })

/**
 * Waits for an operation that calls back; interruption aborts it.
 *
 * It is `Effect.async` with a finalizer, in half the steps: it runs for every request, and a successful one needs no finalizer.
 */
export const asynchronous = <A, E>(
  begin: (resume: (rest: Effect.Effect<A, E>) => void) => { readonly abort: () => void }
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) => {
    let running: { readonly abort: () => void } | undefined
    return Effect.catchAllCause(
      restore(Effect.async<A, E>((resume) => {
        running = begin(resume)
      })),
      (cause) => {
        running?.abort()
        return Effect.failCause(cause)
      }
    )
  })
