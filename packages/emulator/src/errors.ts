/** The emulator could not be started: an option makes no sense, or the port is taken. */
export class EmulatorStartError extends Error {
  readonly _tag = "EmulatorStartError"
  override readonly name = "EmulatorStartError"
}

/** A call on a running emulator that cannot be done: an unknown id, a refused URL, a wait that ran out. */
export class EmulatorError extends Error {
  readonly _tag = "EmulatorError"
  override readonly name = "EmulatorError"
}
