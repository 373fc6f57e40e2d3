/**
 * The fast transport on Node: undici's connection pool, driven directly.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { HookrailConfigError } from "hookrail/HookrailError"
import { fromCallbacks, maxBodyBytes, Transport, TransportError } from "hookrail/Transport"
import type { Exchange, Receiver, TransportRequest } from "hookrail/Transport"
import type { Socket } from "node:net"
import type { buildConnector, Client as UndiciClient, Dispatcher, Pool as UndiciPool } from "undici"
// The inner modules of undici, because its index also loads fetch, caches, mocks and WebSocket: most of its start-up
// time. They carry no declarations; the types are those of the index.
// @ts-expect-error no declarations
import connectModule from "undici/lib/core/connect.js"
// @ts-expect-error no declarations
import clientModule from "undici/lib/dispatcher/client.js"
// @ts-expect-error no declarations
import poolModule from "undici/lib/dispatcher/pool.js"

const makeConnector = connectModule as typeof buildConnector
const Client = clientModule as typeof UndiciClient
const Pool = poolModule as typeof UndiciPool

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many connections to hold at most, per origin. Default: 64. */
  readonly connections?: number | undefined
  /** How long establishing a connection may take, TLS included. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * How long an idle connection is kept. Stay below the server's own limit, which is 60 seconds. A shorter hint of the
   * server, as in `Keep-Alive: timeout=5`, wins. Default: 30 seconds.
   */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** Certificate authorities to trust instead of Node's own, as PEM. */
  readonly ca?: string | ReadonlyArray<string> | undefined
}

interface Settings {
  readonly connections: number
  readonly connectTimeout: number
  readonly keepAliveTimeout: number
  readonly ca: string | Array<string> | undefined
}

/** The longest delay `setTimeout` takes; more would fire at once. */
const maxDelay = 2 ** 31 - 1

const millis = (
  option: string,
  input: Duration.DurationInput | undefined,
  fallback: number
): Effect.Effect<number, HookrailConfigError> => {
  if (input === undefined) return Effect.succeed(fallback)
  const value = Option.match(Duration.decodeUnknown(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })
  return value > 0 && value <= maxDelay
    ? Effect.succeed(value)
    : Effect.fail(
      new HookrailConfigError({
        option,
        reason: `must be a duration above zero and below 25 days, such as "${fallback / 1000} seconds"`
      })
    )
}

const settingsOf = (options: Options): Effect.Effect<Settings, HookrailConfigError> =>
  Effect.suspend(() => {
    const connections = options.connections ?? 64
    if (!Number.isSafeInteger(connections) || connections < 1) {
      return Effect.fail(
        new HookrailConfigError({ option: "connections", reason: "must be a whole number above zero" })
      )
    }
    return Effect.map(
      Effect.all([
        millis("connectTimeout", options.connectTimeout, 5_000),
        millis("keepAliveTimeout", options.keepAliveTimeout, 30_000)
      ]),
      ([connectTimeout, keepAliveTimeout]) => ({
        connections,
        connectTimeout,
        keepAliveTimeout,
        ca: typeof options.ca === "string" ? options.ca : options.ca?.slice()
      })
    )
  })

/** What undici's errors have in common. */
interface NetworkError extends Error {
  readonly code?: string | undefined
}

/** Given to undici where an exchange is dropped; it reaches nobody. */
const dropped = new Error("the exchange is over")

const connectTimeoutCode = "UND_ERR_CONNECT_TIMEOUT"

/** Whether a header is called `name`, which is in lower case. */
const isNamed = (raw: Buffer, name: string): boolean =>
  raw.length === name.length && raw.toString("latin1").toLowerCase() === name

const decode = (bytes: Buffer): string => {
  const text = bytes.toString("utf8")
  // As `TextDecoder` does on the other transports.
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

type Abort = (error: Error) => void

const noHeaders: ReadonlyArray<Buffer> = []

interface DispatchOptions {
  readonly path: string
  readonly method: "GET" | "POST"
  readonly headers: Record<string, string>
  body: Uint8Array | null
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
class UndiciExchange implements Exchange {
  /** Undici did not even take the request: an invalid header or path. */
  refused = false

  private state: State = "waiting"
  private readonly startedAt = performance.now()
  private sentAt = 0
  private readonly responseTimeout: number
  private readonly timeout: number
  private timer: NodeJS.Timeout | undefined
  private options: DispatchOptions | undefined
  /** Given by undici: destroys the connection. */
  private destroy: Abort | undefined
  private status = 0
  private rawHeaders = noHeaders
  private chunk: Buffer | undefined
  private chunks: Array<Buffer> | undefined
  private size = 0

  constructor(
    request: TransportRequest,
    private readonly connectTimeout: number,
    private readonly receiver: Receiver
  ) {
    this.responseTimeout = request.responseTimeout
    this.timeout = request.timeout
    // One timer for the whole exchange. It fires at the earliest moment that any limit could be exceeded, and only then
    // looks which one applies: a request that is answered in time arms and clears it, no more.
    this.timer = setTimeout(onTimer, Math.min(request.responseTimeout, request.timeout, maxDelay), this)
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
      const code = error.code
      this.fail(
        new TransportError({
          reason: "connection",
          phase: state === "waiting" ? "connect" : state === "sent" ? "response" : "body",
          description: error.message || (code ?? error.name),
          ...(code === undefined ? {} : { code }),
          // A parser error holds the bytes it choked on, which may be an echo of the request and its credentials.
          ...(error.name === "HTTPParserError" ? {} : { cause: error })
        })
      )
    }
  }

  onTimer(): void {
    const state = this.state
    if (state === "done") return
    const now = performance.now()
    const whole = this.startedAt + this.timeout
    const response = state === "sent" ? this.sentAt + this.responseTimeout : Infinity
    const deadline = Math.min(whole, response)
    // Timers count whole milliseconds and may fire a fraction early.
    if (deadline - now < 1) {
      const { destroy, options } = this
      this.timedOut(
        state === "waiting" ? "connect" : state === "sent" ? "response" : "body",
        response < whole ? this.responseTimeout : this.timeout
      )
      this.drop(destroy, options)
    } else {
      this.timer = setTimeout(onTimer, Math.min(deadline - now, maxDelay), this)
    }
  }

  /** Nobody waits for the answer any more. */
  abort(): void {
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
    clearTimeout(this.timer)
    this.timer = undefined
    this.options = undefined
    this.destroy = undefined
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
    this.receiver.onResponse({
      status,
      header: (name) => {
        for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
          if (isNamed(rawHeaders[i]!, name)) return rawHeaders[i + 1]!.toString("latin1")
        }
        return undefined
      },
      body: chunks !== undefined ? decode(Buffer.concat(chunks, size)) : chunk !== undefined ? decode(chunk) : "",
      truncated
    })
  }

  private timedOut(phase: TransportError["phase"], limit: number): void {
    const what = phase === "connect" ? "no connection" : phase === "response" ? "no answer" : "no complete answer"
    this.fail(new TransportError({ reason: "timeout", phase, limit, description: `${what} within ${limit} ms` }))
  }

  private fail(error: TransportError): void {
    this.end()
    this.receiver.onFailure(error)
  }
}

const onTimer = (exchange: UndiciExchange): void => exchange.onTimer()

/**
 * A client that stays in the pool when it refuses a request. The pool takes `false` for "busy until the next drain
 * event", but after a request that undici finds invalid no such event comes: the pool would lose the connection.
 */
class PooledClient extends Client {
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return super.dispatch(options, handler) || (handler as unknown as UndiciExchange).refused
  }
}

class Pools {
  private readonly pools = new Map<string, UndiciPool>()
  /** Undici forgets some of its connections, such as those still being established. */
  private readonly sockets = new Set<Socket>()
  private readonly connector: buildConnector.connector
  private closed = false

  constructor(private readonly settings: Settings) {
    const { ca, connectTimeout } = settings
    // Undici's own connect timeout is off, since it is half a second to a second late.
    const connector = makeConnector({ timeout: 0, allowH2: false, ...(ca === undefined ? {} : { ca }) }) as (
      ...args: Parameters<buildConnector.connector>
    ) => Socket
    this.connector = (options, callback) => {
      const socket = connector(options, (...result) => {
        clearTimeout(timer)
        callback(...result)
      })
      const timer = setTimeout(() => {
        const error = new Error(`no connection to ${options.host ?? options.hostname} within ${connectTimeout} ms`)
        socket.destroy(Object.assign(error, { code: connectTimeoutCode }))
      }, connectTimeout)
      this.sockets.add(socket)
      socket.once("close", () => {
        clearTimeout(timer)
        this.sockets.delete(socket)
      })
    }
  }

  start(request: TransportRequest, receiver: Receiver): Exchange {
    const exchange = new UndiciExchange(request, this.settings.connectTimeout, receiver)
    try {
      exchange.sendOver(this.pools.get(request.origin) ?? this.open(request.origin), request)
    } catch (error) {
      exchange.onError(error as Error)
    }
    return exchange
  }

  private open(origin: string): UndiciPool {
    if (this.closed) throw new Error("the transport is closed")
    const { connections, keepAliveTimeout } = this.settings
    const pool = new Pool(origin, {
      connections,
      connect: this.connector,
      factory: (origin, options) => new PooledClient(origin, options),
      keepAliveTimeout,
      keepAliveMaxTimeout: keepAliveTimeout,
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false
    })
    this.pools.set(origin, pool)
    return pool
  }

  async close(): Promise<void> {
    this.closed = true
    const pools = [...this.pools.values()].map((pool) => pool.destroy(new Error("the transport is closed")))
    const sockets = [...this.sockets].map((socket) =>
      new Promise<void>((resolve) => {
        socket.once("close", () => resolve())
        socket.destroy()
      })
    )
    await Promise.all([...pools, ...sockets])
  }
}

/**
 * A transport with its own connections, which close with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Transport.Service, HookrailConfigError, Scope.Scope> =>
  Effect.map(
    Effect.flatMap(settingsOf(options), (settings) =>
      Effect.acquireRelease(
        Effect.sync(() => new Pools(settings)),
        (pools) => Effect.promise(() => pools.close())
      )),
    (pools) => fromCallbacks((request, receiver) => pools.start(request, receiver))
  )

/**
 * The transport on undici, with keep-alive connections per origin, and limits that hold to the millisecond.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Transport, HookrailConfigError> =>
  Layer.scoped(Transport, make(options))
