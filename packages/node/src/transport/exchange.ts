/**
 * One exchange over undici's connection pool, on its callback interface.
 */
import * as Exit from "effect/Exit"
import type { Abortable, Listener, TransportRequest, TransportResponse } from "hookrail/Transport"
import { connectionError, decompress, maxBodyBytes, timeoutError, TransportError } from "hookrail/Transport"
import type { Dispatcher, Pool as UndiciPool } from "undici"
import type { Answer, Answers } from "./answers.js"
import type { Deadlines, Limited } from "./deadlines.js"
import { isDue } from "./deadlines.js"
import { type Proxy, proxyCode, refusal } from "./proxy.js"

export interface NetworkError extends Error {
  readonly code?: string | undefined
}

/** Passed to undici to drop an exchange; never reported. */
export const dropped = new Error("the exchange is over")

/** The code of the error if connecting takes too long. */
export const connectTimeoutCode = "UND_ERR_CONNECT_TIMEOUT"

/** Whether the name of a header is `name`, which must be in lower case. */
const isNamed = (raw: Buffer, name: string): boolean =>
  raw.length === name.length && raw.toString("latin1").toLowerCase() === name

const headerOf = (rawHeaders: ReadonlyArray<Buffer>, name: string): string | undefined => {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (isNamed(rawHeaders[i]!, name)) return rawHeaders[i + 1]!.toString("latin1")
  }
  return undefined
}

const decode = (bytes: Buffer): string => {
  const text = bytes.toString("utf8")
  // Drop the byte order mark, as `TextDecoder` does on the other transports.
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

export type Abort = (error: Error) => void

const noHeaders: ReadonlyArray<Buffer> = []

interface DispatchOptions {
  readonly path: string
  readonly method: TransportRequest["method"]
  readonly headers: Record<string, string>
  body: Uint8Array | null
}

/** An indirect route to the server. */
export interface Via {
  readonly proxy: Proxy
  /** Whether the proxy reads and forwards the request, instead of tunnelling bytes. */
  readonly forwards: boolean
}

type State =
  /** Queued in the pool, or its connection is being established: nothing was sent. */
  | "waiting"
  /** The request was sent, at least in part. */
  | "sent"
  /** The response headers have arrived. */
  | "answering"
  | "done"

/**
 * One request through undici.
 *
 * It implements undici's older handler interface (`onConnect`, `onHeaders`, ...), because undici 7 uses that internally: a
 * handler of the newer interface costs two more objects and an eagerly parsed header record per request.
 */
export class UndiciExchange implements Abortable, Limited, Answer {
  /** Undici rejected the request because of an invalid header or path. */
  refused = false
  /** Set by the undici client that dispatches the request. */
  via: Via | undefined

  /** The earliest time at which any limit may be exceeded; `onDue` determines which one applies. */
  due: number
  slot = -1
  next: Answer | undefined

  protected state: State = "waiting"
  private readonly startedAt = performance.now()
  protected sentAt = 0
  private readonly responseTimeout: number
  private readonly timeout: number
  private options: DispatchOptions | undefined
  /** Destroys the connection. Provided by undici. */
  protected destroy: Abort | undefined
  private status = 0
  private rawHeaders = noHeaders
  private chunk: Buffer | undefined
  private chunks: Array<Buffer> | undefined
  private size = 0
  private response: TransportResponse | undefined

  constructor(
    request: TransportRequest,
    private readonly connectTimeout: number,
    private readonly deadlines: Deadlines,
    private readonly answers: Answers,
    private readonly listener: Listener<TransportResponse, TransportError>
  ) {
    this.responseTimeout = request.responseTimeout
    this.timeout = request.timeout
    this.due = this.startedAt + Math.min(request.responseTimeout, request.timeout)
    deadlines.add(this)
  }

  /** Hands the request to a pool. */
  sendOver(pool: UndiciPool, request: TransportRequest): void {
    this.options = {
      path: request.path,
      method: request.method,
      headers: request.headers,
      body: request.body ?? null
    }
    // Undici's types require more of a handler than its older interface uses.
    pool.dispatch(this.options, this as unknown as Dispatcher.DispatchHandler)
  }

  onConnect(abort: Abort): void {
    // Throwing drops the request and leaves the connection alone; calling `abort` would destroy it.
    if (this.state !== "waiting") throw dropped
    this.destroy = abort
    this.state = "sent"
    this.sentAt = performance.now()
  }

  onHeaders(status: number, rawHeaders: ReadonlyArray<Buffer>): boolean {
    // Skip 1xx, which only precedes the response.
    if (status >= 200 && this.state === "sent") {
      if (status === 407 && this.via?.forwards === true) {
        this.refusedBy(this.via.proxy)
        return true
      }
      this.state = "answering"
      this.status = status
      this.rawHeaders = rawHeaders
    }
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.state !== "answering") return true
    const room = maxBodyBytes - this.size
    if (chunk.length > room) {
      const { destroy } = this
      this.keep(chunk.subarray(0, room))
      this.respond(true)
      destroy?.(dropped)
    } else {
      this.keep(chunk)
    }
    return true
  }

  onComplete(): void {
    if (this.state === "answering") this.respond(false)
  }

  onError(error: NetworkError): void {
    const state = this.state
    if (state === "done") return
    this.refused = state === "waiting" &&
      (error.code === "UND_ERR_INVALID_ARG" || error.code === "UND_ERR_NOT_SUPPORTED")
    if (state === "answering" && this.status >= 400) {
      // A server that responds before it has read the whole request may reset the connection right afterwards. The status of
      // an error is enough; only a success needs its body.
      this.respond(true)
    } else if (error.code === connectTimeoutCode && state === "waiting") {
      this.timedOut("connect", this.connectTimeout)
    } else {
      this.fail(connectionError(error, { phase: this.phase }))
    }
  }

  onDue(now: number): void {
    const state = this.state
    const whole = this.startedAt + this.timeout
    const response = state === "sent" ? this.sentAt + this.responseTimeout : Infinity
    this.due = Math.min(whole, response)
    if (isDue(this, now)) {
      const { destroy, options } = this
      this.timedOut(this.phase, response < whole ? this.responseTimeout : this.timeout)
      this.drop(destroy, options)
    }
  }

  /** Drops the exchange without calling the listener. */
  abort(): void {
    this.response = undefined
    if (this.state === "done") return
    const { destroy, options } = this
    this.end()
    this.drop(destroy, options)
  }

  /** Destroys the connection. Without one, only the body is released; the request stays queued until `onConnect`. */
  private drop(destroy: Abort | undefined, options: DispatchOptions | undefined): void {
    if (destroy !== undefined) destroy(dropped)
    else if (options !== undefined) options.body = null
  }

  /**
   * Ends the exchange and clears all references: otherwise the garbage collector promotes most of it to the old generation,
   * which doubles its work under load.
   */
  private end(): void {
    this.state = "done"
    this.deadlines.delete(this)
    this.options = undefined
    this.destroy = undefined
    this.via = undefined
    this.rawHeaders = noHeaders
    this.chunk = undefined
    this.chunks = undefined
  }

  private keep(chunk: Buffer): void {
    this.size += chunk.length
    if (this.chunk === undefined) this.chunk = chunk
    else if (this.chunks === undefined) this.chunks = [this.chunk, chunk]
    else this.chunks.push(chunk)
  }

  private respond(truncated: boolean): void {
    const { chunk, chunks, rawHeaders, size, status } = this
    this.end()
    let bytes = chunks !== undefined ? Buffer.concat(chunks, size) : chunk
    const encoding = bytes === undefined ? undefined : headerOf(rawHeaders, "content-encoding")
    if (encoding !== undefined) {
      const result = truncated ? undefined : decompress(encoding, bytes!)
      if (result === undefined && status < 400 && !truncated) {
        const description = `the answer is compressed (${encoding.slice(0, 40)}) and cannot be read`
        return this.fail(new TransportError({ reason: "connection", phase: "body", description }))
      }
      bytes = result === undefined
        ? undefined
        : Buffer.from(result.bytes.buffer, result.bytes.byteOffset, result.bytes.length)
      truncated = result?.truncated ?? true
    }
    // A literal: callers may pass `header` on without its receiver.
    this.response = {
      status,
      header: (name) => headerOf(rawHeaders, name),
      body: bytes === undefined ? "" : decode(bytes),
      truncated
    }
    this.answers.add(this)
  }

  handOver(): void {
    const { response } = this
    this.response = undefined
    if (response !== undefined) this.listener.resume(Exit.succeed(response))
  }

  /** The proxy has read the event but forwarded nothing, so nothing was sent to the server. */
  private refusedBy(proxy: Proxy): void {
    const description = refusal(proxy, 407, "the request")
    const { destroy } = this
    this.fail(new TransportError({ reason: "connection", phase: "connect", code: proxyCode, description }))
    destroy?.(dropped)
  }

  /** While it waits for a connection, nothing was sent. */
  protected get phase(): TransportError["phase"] {
    return this.state === "waiting" ? "connect" : this.state === "sent" ? "response" : "body"
  }

  private timedOut(phase: TransportError["phase"], limit: number): void {
    this.fail(
      phase === "connect" && this.via !== undefined
        ? new TransportError({
          reason: "timeout",
          phase,
          limit,
          description: `no connection through the proxy ${this.via.proxy.name} within ${limit} ms`
        })
        : timeoutError(phase, limit)
    )
  }

  protected fail(error: TransportError): void {
    this.end()
    this.listener.resume(Exit.fail(error))
  }
}
