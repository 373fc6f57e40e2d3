/** The services that each call reads from its fiber. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { nativeTracer } from "effect/Tracer"

/** The clock of programs that set no other. */
export const liveClock: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** The spans of the default tracer go nowhere, so none are created. */
const isTraced = ({ cache }: Fiber.Fiber<unknown, unknown>): boolean =>
  cache.tracer !== undefined && cache.tracer !== nativeTracer

/** Chooses between two effects: with a tracer, or without one. Spans are expensive. */
export const ifTraced = <A, E, R, A2, E2, R2>(
  traced: () => Effect.Effect<A, E, R>,
  untraced: () => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.withFiber<A | A2, E | E2, R | R2>((fiber) => isTraced(fiber) ? traced() : untraced())

/** Reads the clock alone: the facade then contains no tracer. */
export const withOnlyClock = <A, E, R>(body: (clock: Clock.Clock) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => body(fiber.getRef(Clock.Clock)))

/** Reads what a call needs from its fiber, in one step: the clock, whether there is a tracer, and how to wait. */
export const withClock = <A, E, R>(
  body: (clock: Clock.Clock, isTraced: boolean, wait: Wait) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.withFiber((fiber) => body(fiber.getRef(Clock.Clock), isTraced(fiber), asynchronous))

/** Uses a service, in one step instead of two. */
export const withService = <I, S, A, E>(
  tag: Context.Key<I, S>,
  body: (service: S) => Effect.Effect<A, E>
): Effect.Effect<A, E, I> => Effect.withFiber((fiber) => body(Context.getUnsafe(fiber.context, tag)))

/** Waits for an operation that calls back; interruption aborts it. */
export type Wait = <A, E>(
  begin: (resume: (rest: Effect.Effect<A, E>) => void) => { readonly abort: () => void }
) => Effect.Effect<A, E>

/** In any region. */
export const asynchronous: Wait = (begin) =>
  Effect.callback((resume) => {
    const running = begin(resume)
    return Effect.sync(() => running.abort())
  })
