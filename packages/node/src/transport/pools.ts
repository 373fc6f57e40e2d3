/** Undici's connection pools, one per origin, and a record of every socket. */
import type { Abortable, Listener, TransportError, TransportRequest, TransportResponse } from "hookrail/Transport"
import type { Socket } from "node:net"
import type { buildConnector, Client as UndiciClient, Dispatcher, Pool as UndiciPool } from "undici"
// Internal modules of undici, because its index also loads fetch, caches, mocks and WebSocket, which take most of its start-up
// time. They have no declarations; the types are those of the index, and `undici.test.ts` checks that they match.
// @ts-expect-error no declarations
import connectModule from "undici/lib/core/connect.js"
// @ts-expect-error no declarations
import symbolsModule from "undici/lib/core/symbols.js"
// @ts-expect-error no declarations
import clientModule from "undici/lib/dispatcher/client.js"
// @ts-expect-error no declarations
import poolModule from "undici/lib/dispatcher/pool.js"
import { Answers } from "./answers.js"
import type { SecureContexts } from "./certificates.js"
import { Deadlines } from "./deadlines.js"
import { connectTimeoutCode, UndiciExchange, type Via } from "./exchange.js"
import type { Proxy, ProxyOf } from "./proxy.js"
import { type Connect, type Connector, through } from "./tunnel.js"

const makeConnector = connectModule as (options: buildConnector.BuildOptions) => Connector
const { kParser } = symbolsModule as { readonly kParser: symbol }
const Client = clientModule as typeof UndiciClient
const Pool = poolModule as typeof UndiciPool

export interface Settings {
  readonly connections: number
  /** Whether reads get connections of their own while sends have all. */
  readonly readsApart: boolean
  readonly connectTimeout: number
  readonly keepAliveTimeout: number
  readonly contexts: SecureContexts
  readonly proxyOf: ProxyOf
}

/**
 * A client that stays available to the pool after it rejects a request. The pool treats `false` as "busy until the next drain
 * event", but after an invalid request that event never comes, and the pool would lose the connection.
 */
class PooledClient extends Client {
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return super.dispatch(options, handler) || (handler as unknown as UndiciExchange).refused
  }
}

/** A client whose connections go through a proxy. Without a tunnel, the proxy itself reads the request. */
class ProxiedClient extends PooledClient implements Via {
  readonly forwards: boolean
  private readonly destination: string

  constructor(origin: URL, options: object, readonly proxy: Proxy) {
    super(origin, options)
    this.destination = origin.origin
    this.forwards = origin.protocol === "http:"
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    ;(handler as unknown as UndiciExchange).via = this
    return super.dispatch(this.forwards ? this.forwarded(options) : options, handler)
  }

  private forwarded(options: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
    const authorization = this.proxy.authorization()
    return {
      ...options,
      path: this.destination + options.path,
      headers: {
        ...options.headers as Record<string, string>,
        ...(authorization === undefined ? {} : { "proxy-authorization": authorization })
      }
    }
  }
}

interface Parser {
  onHeadersComplete: (this: Parser, status: number, upgrade: boolean, keepAlive: boolean) => number
}

/**
 * Undici ends a connection on `100 Continue`, because it never asks for it. Some proxies send it anyway; here it is skipped like
 * any other 1xx.
 */
function onHeadersComplete(this: Parser, status: number, upgrade: boolean, keepAlive: boolean): number {
  const original = (Object.getPrototypeOf(this) as Parser).onHeadersComplete
  return original.call(this, status === 100 ? 102 : status, upgrade, keepAlive)
}

const skipContinue = (socket: Socket): void => {
  const parser = (socket as unknown as { readonly [kParser]?: Parser })[kParser]
  if (parser !== undefined && parser !== null) parser.onHeadersComplete = onHeadersComplete
}

export class Pools {
  private readonly pools = new Map<string, UndiciPool>()
  /** All sockets: undici does not keep track of some, such as those that are still connecting. */
  private readonly sockets = new Set<Socket>()
  private readonly toServer: Connector
  private readonly connector: buildConnector.connector
  private readonly deadlines = new Deadlines()
  private readonly answers = new Answers()
  private closed = false

  constructor(private readonly settings: Settings) {
    const toServer = connectorOf(settings.contexts.server)
    this.toServer = toServer
    this.connector = this.inTime((options, track, callback) => track(toServer(options, callback)))
  }

  start(request: TransportRequest, listener: Listener<TransportResponse, TransportError>): Abortable {
    const exchange = new UndiciExchange(request, this.settings.connectTimeout, this.deadlines, this.answers, listener)
    try {
      exchange.sendOver(this.poolFor(request), request)
    } catch (error) {
      exchange.onError(error as Error)
    }
    return exchange
  }

  /**
   * Reads do not wait for sends: while those have all connections, they use a pool of their own. A higher limit for both would not
   * do: undici opens connections up to it even if enough are about to become free.
   */
  private poolFor({ method, origin }: TransportRequest): UndiciPool {
    const pool = this.pools.get(origin) ?? this.open(origin)
    const { connections, readsApart } = this.settings
    if (!readsApart || method !== "GET" || pool.stats.size < connections) return pool
    const reads = `${origin} reads`
    return this.pools.get(reads) ?? this.open(origin, reads)
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

  private open(origin: string, name = origin): UndiciPool {
    if (this.closed) throw new Error("the transport is closed")
    const { connections, contexts, keepAliveTimeout, proxyOf } = this.settings
    const proxy = proxyOf(new URL(origin))
    const pool = new Pool(origin, {
      connections,
      connect: proxy === undefined
        ? this.connector
        : this.inTime(through(proxy, connectorOf(contexts.proxy), this.toServer)),
      factory: (origin, options) =>
        proxy === undefined ? new PooledClient(origin, options) : new ProxiedClient(origin, options, proxy),
      keepAliveTimeout,
      keepAliveMaxTimeout: keepAliveTimeout,
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false
    })
    this.pools.set(name, pool)
    return pool
  }

  /** Limits the time to connect, and keeps track of the sockets. */
  private inTime(connect: Connect): buildConnector.connector {
    const { connectTimeout } = this.settings
    return (options, callback) => {
      let current: Socket | undefined
      const track = (socket: Socket): void => {
        current = socket
        this.sockets.add(socket)
        socket.once("close", () => {
          if (socket === current) clearTimeout(timer)
          this.sockets.delete(socket)
        })
      }
      connect(options, track, (...result) => {
        clearTimeout(timer)
        callback(...result)
        if (result[0] === null) skipContinue(result[1])
      })
      const timer = setTimeout(() => {
        const error = new Error(`no connection to ${options.host ?? options.hostname} within ${connectTimeout} ms`)
        current?.destroy(Object.assign(error, { code: connectTimeoutCode }))
      }, connectTimeout)
    }
  }
}

const connectorOf = (secureContext: SecureContexts["server"]): Connector =>
  // Undici's own connect timeout is disabled: it is half a second to a second late.
  makeConnector({ timeout: 0, allowH2: false, ...(secureContext === undefined ? {} : { secureContext }) })
