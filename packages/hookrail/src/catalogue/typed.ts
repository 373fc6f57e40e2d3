/** A definition as the effects that a `Topic` has. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { decoded, encoded } from "./check.js"
import type { EventDefinition, Verdict } from "./model.js"

export class Typed {
  readonly "~hookrail/Topic" = "~hookrail/Topic"

  constructor(readonly name: string, readonly definition: EventDefinition) {}

  // Properties: handlers are given `decode` alone.
  readonly encode = (payload: unknown) => effectOf(() => encoded(this.definition, payload))
  readonly decode = (payload: unknown) => effectOf(() => decoded(this.definition, payload))
}

/** Why a payload does not fit. */
interface Fault {
  readonly path: string
  readonly reason: string
}

/** As a rule it is known at once: then the effect is an `Exit`, which needs no fiber. */
export const effectOf = (check: () => Verdict | Promise<Verdict>): Effect.Effect<unknown, Fault> => {
  try {
    const verdict = check()
    return "then" in verdict ? Effect.flatMap(Effect.promise(() => verdict), exitOf) : exitOf(verdict)
  } catch (thrown) {
    return Exit.die(thrown)
  }
}

export const exitOf = (verdict: Verdict): Exit.Exit<unknown, Fault> =>
  "reason" in verdict ? Exit.fail(verdict) : Exit.succeed(verdict.value)
