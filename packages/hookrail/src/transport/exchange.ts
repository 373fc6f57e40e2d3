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

type Timer = ReturnType<typeof setTimeout>

/**
 * The time limits of one exchange, on real timers: a test clock must not freeze the network. `elapsed` is called at most once.
 */
export class Limits {
  private phase: "response" | "body" = "response"
  private whole: Timer
  private response: Timer | undefined

  constructor(request: TransportRequest, private readonly elapsed: (error: TransportError) => void) {
    const { responseTimeout, timeout } = request
    this.whole = this.after(timeout, () => {
      this.whole = this.onceMore(timeout)
    })
    if (responseTimeout < timeout) {
      this.response = this.after(responseTimeout, () => {
        this.response = this.onceMore(responseTimeout)
      })
    }
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

  private after(millis: number, then: () => void): Timer {
    return setTimeout(then, Math.min(millis, maxDelay))
  }

  /**
   * After the process was stopped, timers come before the sockets. An answer that is in one of them has come in time; when
   * the next timer has its turn it is read.
   */
  private onceMore(limit: number): Timer {
    return this.after(0, () => {
      this.clear()
      this.elapsed(timeoutError(this.phase, limit))
    })
  }
}
