/**
 * The emulator for programs with Effect 3. The build names its modules as those programs do: `effect`.
 *
 * @since 0.1.0
 */
export * as Emulator from "./layer-3.js"
