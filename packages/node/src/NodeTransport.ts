/**
 * The fast transport on Node: undici's connection pool, driven directly.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { anything, checkOptions, duration, wholeNumber, withDefault } from "hookrail/HookrailConfig"
import type { HookrailConfigError } from "hookrail/HookrailError"
import { fromCallbacks, Transport } from "hookrail/Transport"
import type { Exchange, Receiver, Service, TransportRequest } from "hookrail/Transport"
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
import { Answers } from "./transport/answers.js"
import { Deadlines } from "./transport/deadlines.js"
import { connectTimeoutCode, UndiciExchange } from "./transport/exchange.js"

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

/** No timer takes more. */
const longest = "24 days"

const checks = {
  connections: withDefault(wholeNumber(), 64),
  connectTimeout: withDefault(duration(longest), 5_000),
  keepAliveTimeout: withDefault(duration(longest), 30_000),
  ca: anything<Options["ca"]>
}

const settingsOf = (options: Options): Effect.Effect<Settings, HookrailConfigError> =>
  Effect.map(
    checkOptions(options, checks),
    (settings) => ({ ...settings, ca: typeof settings.ca === "string" ? settings.ca : settings.ca?.slice() })
  )

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
  private readonly deadlines = new Deadlines()
  private readonly answers = new Answers()
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
    const exchange = new UndiciExchange(request, this.settings.connectTimeout, this.deadlines, this.answers, receiver)
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
): Effect.Effect<Service, HookrailConfigError, Scope.Scope> =>
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
