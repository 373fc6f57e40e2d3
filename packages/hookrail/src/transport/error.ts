import * as Data from "effect/Data"

/**
 * There was no whole answer. The client turns it into a `HookrailConnectionError` or a `HookrailTimeoutError`.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportError extends Data.TaggedError("TransportError")<{
  readonly reason: "connection" | "timeout"
  /** How far the exchange had come: no connection yet, waiting for the answer, or reading it. */
  readonly phase: "connect" | "response" | "body"
  /** The limit that was exceeded, in milliseconds; only with `reason: "timeout"`. */
  readonly limit?: number | undefined
  readonly code?: string | undefined
  readonly description: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `${this.reason} (${this.phase}): ${this.description}`
  }
}
