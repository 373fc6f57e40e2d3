import * as Data from "effect/Data"

/**
 * There was no complete response. The client turns it into a `HookrailConnectionError` or a `HookrailTimeoutError`.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransportError extends Data.TaggedError("TransportError")<{
  readonly reason: "connection" | "timeout"
  /** How far the exchange got: connecting, waiting for the response, or reading its body. */
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
