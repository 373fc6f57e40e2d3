/**
 * The emulator for programs with Effect 4. An entry of its own, so that `@hookrail/emulator` needs no Effect.
 *
 * @since 0.1.0
 */
export * as Emulator from "./layer.js"
