/** The services that each call reads from its fiber. */
import type { Clock } from "effect/Clock"
import { Clock as ClockTag } from "effect/Clock"
import * as Context from "effect/Context"
import { currentServices, liveServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

/** The default tracer. Its spans go nowhere, so none are created. */
const noTracer = Context.get(liveServices, Tracer.Tracer)

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
