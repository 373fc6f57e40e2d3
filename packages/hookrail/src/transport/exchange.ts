/**
 * Limits of an exchange, in time and size, shared by the transports of this package.
 */
import { concat } from "../wire/bytes.js"
import type { TransportError } from "./error.js"
import { timeoutError } from "./failure.js"
import type { TransportRequest } from "./model.js"
import { maxBodyBytes } from "./model.js"

/** The longest delay that `setTimeout` supports; a longer one would fire at once. */
const maxDelay = 2 ** 31 - 1

/** Collects a body up to the limit and cuts off the rest. `add` returns whether to continue. */
export class BodyBuffer {
  /** The body is incomplete. */
  truncated = false
  private readonly chunks: Array<Uint8Array> = []
  private size = 0

  add(chunk: Uint8Array): boolean {
    const room = maxBodyBytes - this.size
    this.truncated = chunk.length > room
    const fitting = this.truncated ? chunk.subarray(0, room) : chunk
    this.size += fitting.length
    this.chunks.push(fitting)
    return !this.truncated
  }

  bytes(): Uint8Array {
    return concat(this.chunks, this.size)
  }

  /** Decodes the whole body at once, so that a character split between chunks survives. */
  text(): string {
    return new TextDecoder().decode(this.bytes())
  }
}

/**
 * The time limits of one exchange, on real timers: a test clock must not freeze the network. `elapsed` is called at most once.
 */
export class Limits {
  private phase: "response" | "body" = "response"
  private readonly whole: ReturnType<typeof setTimeout>
  private readonly response: ReturnType<typeof setTimeout> | undefined

  constructor(request: TransportRequest, elapsed: (error: TransportError) => void) {
    const { responseTimeout, timeout } = request
    const arm = (limit: number) =>
      setTimeout(() => {
        this.clear()
        elapsed(timeoutError(this.phase, limit))
      }, Math.min(limit, maxDelay))
    this.whole = arm(timeout)
    this.response = responseTimeout < timeout ? arm(responseTimeout) : undefined
  }

  /** The response headers have arrived. */
  answered(): void {
    this.phase = "body"
    clearTimeout(this.response)
  }

  clear(): void {
    clearTimeout(this.whole)
    clearTimeout(this.response)
  }
}
