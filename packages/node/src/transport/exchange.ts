/**
 * One exchange over undici's connection pool, by its callbacks.
 */
import * as Exit from "effect/Exit"
import type { Abortable, Listener, TransportRequest, TransportResponse } from "hookrail/Transport"
import { connectionError, decompress, maxBodyBytes, timeoutError, TransportError } from "hookrail/Transport"
import type { Dispatcher, Pool as UndiciPool } from "undici"
import type { Answer, Answers } from "./answers.js"
import type { Deadlines, Limited } from "./deadlines.js"
import { isDue } from "./deadlines.js"
import { type Proxy, proxyCode, refusal } from "./proxy.js"

/** What undici's errors have in common. */
interface NetworkError extends Error {
  readonly code?: string | undefined
}

/** Given to undici where an exchange is dropped; it reaches nobody. */
const dropped = new Error("the exchange is over")

/** The code of the error that a connector gives where a connection takes too long. */
export const connectTimeoutCode = "UND_ERR_CONNECT_TIMEOUT"

/** Whether a header is called `name`, which is in lower case. */
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
  // As `TextDecoder` does on the other transports.
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

type Abort = (error: Error) => void

const noHeaders: ReadonlyArray<Buffer> = []

interface DispatchOptions {
  readonly path: string
  readonly method: TransportRequest["method"]
  readonly headers: Record<string, string>
  body: Uint8Array | null
}

/** The way to the server, where it is not a direct one. */
export interface Via {
  readonly proxy: Proxy
  /** It reads the request and answers it, instead of passing bytes through a tunnel. */
  readonly forwards: boolean
}

type State =
  /** In the queue of the pool, or its connection is being established: nothing has left. */
  | "waiting"
  /** On the wire. */
  | "sent"
  /** The headers of the answer are here. */
  | "answering"
  | "done"

/**
 * One request on its way through undici.
 *
 * It is a handler of undici's older interface (`onConnect`, `onHeaders`, ...), since that is the one undici 7 works
 * with: a handler of the newer interface costs two more objects and an eagerly parsed header record per request.
 */
export class UndiciExchange implements Abortable, Limited, Answer {
  /** Undici did not even take the request: an invalid header or path. */
  refused = false
  /** Set by the client that the request goes through. */
  via: Via | undefined

  /** The earliest moment at which any limit could be exceeded; only then it is looked at which one applies. */
  due: number
  slot = -1
  next: Answer | undefined

  private state: State = "waiting"
  private readonly startedAt = performance.now()
  private sentAt = 0
  private readonly responseTimeout: number
  private readonly timeout: number
  private options: DispatchOptions | undefined
  /** Given by undici: destroys the connection. */
  private destroy: Abort | undefined
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
    // Undici's types do not know how little of a handler its older interface needs.
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
    // 1xx only announces the answer.
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
      // A server that answers before it has read the whole request may reset the connection right after. Its verdict is
      // in the status; only a success needs its body.
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

  /** Nobody waits for the answer any more. */
  abort(): void {
    this.response = undefined
    if (this.state === "done") return
    const { destroy, options } = this
    this.end()
    this.drop(destroy, options)
  }

  /** Destroys the connection, or else lets go of the body: the rest stays in the queue until `onConnect` meets it. */
  private drop(destroy: Abort | undefined, options: DispatchOptions | undefined): void {
    if (destroy !== undefined) destroy(dropped)
    else if (options !== undefined) options.body = null
  }

  /**
   * The exchange is over. It lets go of everything: otherwise the garbage collector takes most of it for long-lived, which
   * doubles its work under load.
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

  /** It has read the event, but passed nothing on: to the server nothing was sent. */
  private refusedBy(proxy: Proxy): void {
    const description = refusal(proxy, 407, "the request")
    const { destroy } = this
    this.fail(new TransportError({ reason: "connection", phase: "connect", code: proxyCode, description }))
    destroy?.(dropped)
  }

  /** As long as it waits, nothing has left. */
  private get phase(): TransportError["phase"] {
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

  private fail(error: TransportError): void {
    this.end()
    this.listener.resume(Exit.fail(error))
  }
}
