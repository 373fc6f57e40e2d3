import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { currentTracerTimingEnabled } from "effect/FiberRef"
import type * as Tracer from "effect/Tracer"
import { begin, isSuccess, waitFor } from "./callback.js"

/**
 * Runs an effect in a span of its own, and starts it without a fiber where possible. An immediate result ends the span at once;
 * otherwise what remains to be done runs within the span. This is `Effect.withSpan` in a fraction of the steps.
 */
export const runInSpan = <A, E>(
  name: string,
  options: Tracer.SpanOptions,
  clock: Clock,
  prepare: (span: Tracer.Span) => Effect.Effect<A, E>,
  annotate: (span: Tracer.Span, result: A) => void
): Effect.Effect<A, E> =>
  Effect.withFiberRuntime((fiber) => {
    const isTimed = fiber.getFiberRef(currentTracerTimingEnabled)
    const end = (span: Tracer.Span, exit: Exit.Exit<A, E>) => {
      if (span.status._tag === "Ended") return
      if (Exit.isSuccess(exit)) annotate(span, exit.value)
      span.end(isTimed ? dateNanos(clock) : BigInt(0), exit)
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
          (listener) => begin(prepare(span), listener, clock),
          (rest) => within(span, rest),
          (cause) => end(span, Exit.failCause(cause))
        ))
    )
  })

/** Adds an event to a span. Its time is a date, like that of the span. */
export const addEvent = (
  span: Tracer.Span,
  name: string,
  clock: Clock,
  attributes: Readonly<Record<string, unknown>>
): void => span.event(name, dateNanos(clock), attributes)

const dateNanos = (clock: Clock): bigint => clock.unsafeCurrentTimeNanos()
