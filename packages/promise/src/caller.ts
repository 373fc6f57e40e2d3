/**
 * Shows callers their own line in the stack of an error. Errors are made in callbacks of sockets and timers, where no caller is
 * on the stack.
 */
import { isHookrailError } from "./errors.js"

/** Not in every engine. */
const { captureStackTrace } = Error as {
  readonly captureStackTrace?: (target: object, below?: unknown) => void
}

/**
 * Gives an error of this package the stack of this moment. In a constructor that is the caller. In an async function that has
 * waited, V8 names the functions that await it: they cost nothing before, whereas a stack kept for each call would take
 * longer than all else that this package adds to a send.
 *
 * @internal
 */
export const located = (error: unknown): unknown => {
  if (isHookrailError(error)) captureStackTrace?.(error, located)
  return error
}

/**
 * Where a function was called: for what is called seldom, and whose errors come when nobody may be waiting.
 *
 * @internal
 */
export class Caller {
  /** Set by the engine: it makes the text only when it is read. */
  declare private readonly stack: string | undefined

  constructor(called: unknown) {
    captureStackTrace?.(this, called)
  }

  /** The place in a sentence: empty if it is not known. */
  get place(): string {
    const [, frame] = /\n {4}at (.*)/.exec(this.stack ?? "") ?? []
    return frame === undefined ? "" : `; it was called at ${frame}`
  }

  /** Shows the caller as the place of an error of this package. */
  blame<E>(error: E): E {
    const { stack = "" } = this
    const start = stack.indexOf("\n    at ")
    if (start < 0 || !isHookrailError(error)) return error
    Object.defineProperty(error, "stack", {
      value: `${error.name}: ${error.message}${stack.slice(start)}`,
      configurable: true,
      writable: true
    })
    return error
  }
}
