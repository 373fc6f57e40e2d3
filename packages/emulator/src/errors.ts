/** What the errors of the emulator tell besides their message. */
export interface EmulatorErrorOptions extends ErrorOptions {
  readonly option?: string | undefined
}

/**
 * The emulator could not be started: an option is wrong, or the port is taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class EmulatorStartError extends Error {
  readonly _tag = "EmulatorStartError"
  override readonly name = "EmulatorStartError"
  /** The option that is wrong, such as `faults[0].kind`; absent where the options are not to blame. */
  readonly option: string | undefined

  constructor(message: string, options?: EmulatorErrorOptions) {
    super(message, options)
    this.option = options?.option
  }
}

/**
 * A call on a running emulator cannot be done: an argument is wrong, an id is unknown, or a wait took too long.
 *
 * @since 0.1.0
 * @category errors
 */
export class EmulatorError extends Error {
  readonly _tag = "EmulatorError"
  override readonly name = "EmulatorError"
  /** The option that is wrong, such as `maxAttempts`; absent where the options are not to blame. */
  readonly option: string | undefined

  constructor(message: string, options?: EmulatorErrorOptions) {
    super(message, options)
    this.option = options?.option
  }
}
