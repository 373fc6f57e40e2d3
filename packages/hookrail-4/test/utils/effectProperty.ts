/** A property whose body is an effect, with the arbitraries of fast-check: those of `it.effect.prop` depend on Effect. */
import { it } from "@effect/vitest"
import { Effect, Layer, Logger, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"

export const effectProperty = <A>(
  name: string,
  arbitrary: fc.Arbitrary<A>,
  body: (value: A) => Effect.Effect<void, unknown, Scope.Scope>,
  parameters: fc.Parameters<[A]>
): void =>
  // Many runs, and each turn of a test clock takes time: a slow machine needs more than usual.
  it(name, () =>
    fc.assert(
      fc.asyncProperty(arbitrary, (value) =>
        Effect.runPromise(
          body(value).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(TestClock.layer(), Logger.layer([]))))
        )),
      parameters
    ), 60_000)
