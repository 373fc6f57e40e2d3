import type * as Clock from "effect/Clock"
import { Clock as ClockTag } from "effect/Clock"
import * as Context from "effect/Context"
import { currentServices, liveServices } from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { currentTracerTimingEnabled } from "effect/FiberRef"
import * as Tracer from "effect/Tracer"
import { type Abortable, waitFor } from "./abortable.js"
import { isSuccess } from "./exit.js"

/** The tracer of a program that has none: its spans go nowhere, so none is made. */
const noTracer = Context.get(liveServices, Tracer.Tracer)

/** An effect that is made in two ways: where somebody listens to spans, and where nobody does. A span costs dearly. */
export const ifTraced = <A, E, R, A2, E2, R2>(
  traced: () => Effect.Effect<A, E, R>,
  untraced: () => Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.tracerWith<A | A2, E | E2, R | R2>((tracer) => tracer === noTracer ? untraced() : traced())

/** The clock, and whether anybody listens to spans: what each call asks its fiber for, in one step. */
export const withClock = <A, E, R>(
  body: (clock: Clock.Clock, isTraced: boolean) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const services = fiber.getFiberRef(currentServices)
    return body(Context.get(services, ClockTag), Context.get(services, Tracer.Tracer) !== noTracer)
  })

/**
 * Waits for a callback, in a span of its own. A result that is there at once ends the span at once; what else remains to be
 * done runs within it. This is `Effect.withSpan` in a fraction of the steps.
 */
export const waitInSpan = <A, E>(
  name: string,
  options: Tracer.SpanOptions,
  clock: Clock.Clock,
  begin: (resume: (rest: Effect.Effect<A, E>) => void) => Abortable,
  annotate: (span: Tracer.Span, result: A) => void
): Effect.Effect<A, E> =>
  Effect.withFiberRuntime((fiber) => {
    const isTimed = fiber.getFiberRef(currentTracerTimingEnabled)
    const end = (span: Tracer.Span, exit: Exit.Exit<A, E>) => {
      if (span.status._tag === "Ended") return
      if (Exit.isSuccess(exit)) annotate(span, exit.value)
      span.end(isTimed ? clock.unsafeCurrentTimeNanos() : BigInt(0), exit)
    }
    const within = (span: Tracer.Span, rest: Effect.Effect<A, E>): Effect.Effect<A, E> => {
      if (isSuccess(rest)) {
        end(span, rest)
        return rest
      }
      return Effect.map(Effect.withParentSpan(rest, span), (result) => {
        end(span, Exit.succeed(result))
        return result
      })
    }
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.makeSpan(name, options), (span) =>
        waitFor(
          restore,
          (resume) => begin((rest) => resume(within(span, rest))),
          (cause) => end(span, Exit.failCause(cause))
        ))
    )
  })
