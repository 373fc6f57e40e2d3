/**
 * The emulator as an Effect service: a scoped layer that starts one and closes it with the scope.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Emulator as Running, startEmulator } from "./emulator.js"
import { EmulatorStartError } from "./errors.js"
import type { EmulatorOptions } from "./options/options.js"

/**
 * A running emulator.
 *
 * @since 0.1.0
 * @category tags
 */
export class Emulator extends Context.Service<Emulator, Running>()("@hookrail/emulator/Emulator") {}

/**
 * Starts an emulator that is closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options?: EmulatorOptions): Effect.Effect<Running, EmulatorStartError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => startEmulator(options),
      catch: (cause) =>
        cause instanceof EmulatorStartError ? cause : new EmulatorStartError("the emulator failed to start", { cause })
    }),
    (emulator) => Effect.promise(() => emulator.close())
  )

/**
 * A layer with an emulator of its own.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: EmulatorOptions): Layer.Layer<Emulator, EmulatorStartError> =>
  Layer.effect(Emulator, make(options))
