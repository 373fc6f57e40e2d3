/** What each call asks its fiber for. */
import type { Clock } from "effect/Clock"
import { Clock as ClockTag } from "effect/Clock"
import * as Context from "effect/Context"
import { currentServices, liveServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

/** The tracer of a program that has none: its spans go nowhere, so none is made. */
const noTracer = Context.get(liveServices, Tracer.Tracer)

/** An effect that is made in two ways: where somebody listens to spans, and where nobody does. A span costs dearly. */
export const ifTraced = <A, E, R, A2, E2, R2>(
  traced: () => Effect.Effect<A, E, R>,
  untraced: () => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.tracerWith<A | A2, E | E2, R | R2>((tracer) => tracer === noTracer ? untraced() : traced())

/** The clock, and whether anybody listens to spans, in one step. */
export const withClock = <A, E, R>(
  body: (clock: Clock, isTraced: boolean) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const services = fiber.getFiberRef(currentServices)
    return body(Context.get(services, ClockTag), Context.get(services, Tracer.Tracer) !== noTracer)
  })
