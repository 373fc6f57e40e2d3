import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Whether an effect is a result already. */
export const isSuccess = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, never> & Effect.Effect<A> =>
  Exit.isExit(effect) && Exit.isSuccess(effect)

/** What a successful exit has. */
export const valueOf = <A>(exit: Exit.Exit<A, never>): A => (exit as Exit.Success<A, never>).value
