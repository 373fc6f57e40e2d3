/**
 * The fast transport for Node: undici's connection pool, driven directly.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { anything, checkOptions, configured, duration, wholeNumber, withDefault } from "hookrail/HookrailConfig"
import type { Environment } from "hookrail/HookrailConfig"
import type { HookrailConfigError } from "hookrail/HookrailError"
import { fromCallbacks, Transport } from "hookrail/Transport"
import type { Dispatcher, Service } from "hookrail/Transport"
import { secureContexts } from "./transport/certificates.js"
import { checked, wrong } from "./transport/checked.js"
import { Dispatched } from "./transport/dispatched.js"
import { Pools, type Settings } from "./transport/pools.js"
import { proxyOf } from "./transport/proxy.js"

export type {
  /**
   * @since 0.1.0
   * @category models
   */
  Dispatcher
}

/**
 * All options are checked when the transport is built. Certificates and keys are PEM: the content of a file, not its name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The maximum number of connections per origin. Default: 64; with `NodeHookrail.layer` the client's `maxInFlight`, so that no
   * send waits for a connection. While sends have all of them, reads may open as many more, unless this option is given.
   */
  readonly connections?: number | undefined
  /** How long establishing a connection may take, including proxy and TLS. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * How long an idle connection is kept. Stay below the server's own limit of 60 seconds. A shorter hint from the server, such as
   * `Keep-Alive: timeout=5`, takes precedence. Default: 30 seconds.
   */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** Certificate authorities to trust instead of Node's own, for the server and for an `https` proxy. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
  /** The client certificate, with its intermediate certificates, for a server that asks for one. Requires `key`. */
  readonly cert?: string | Uint8Array | undefined
  /** The private key of `cert`. */
  readonly key?: string | Uint8Array | Redacted.Redacted<string> | undefined
  /** Decrypts an encrypted `key` or `pfx`. */
  readonly passphrase?: string | Redacted.Redacted<string> | undefined
  /** Certificate and key in one PKCS #12 archive, instead of `cert` and `key`. */
  readonly pfx?: Uint8Array | undefined
  /**
   * The URL of the HTTP proxy for all requests, with a user name and password if it needs them; `false` for none, even if the
   * environment names one. Default: `HTTPS_PROXY` or `HTTP_PROXY`, depending on the scheme of the server, and `NO_PROXY`, read
   * through Effect's `ConfigProvider` when the transport is built. Lower-case names take precedence. With a proxy from the
   * environment, servers on the loopback interface are still reached directly.
   */
  readonly proxy?: string | URL | Redacted.Redacted<string> | false | undefined
  /**
   * A dispatcher of your own undici, of any version, which carries out the requests: an `Agent`, a `ProxyAgent`, a `MockAgent`.
   * Time limits and interruption work as without it. Everything else about connections is then its own, so no other option may be
   * given, and the environment's proxy does not apply. It is yours: closing the transport does not close it.
   */
  readonly dispatcher?: Dispatcher | undefined
}

/** The longest delay that timers support. */
const longest = "24 days"

const checks = {
  connections: withDefault(wholeNumber(), 64),
  connectTimeout: withDefault(duration(longest), 5_000),
  keepAliveTimeout: withDefault(duration(longest), 30_000),
  // Checked by `secureContexts` and `proxyOf`.
  ca: anything<Options["ca"]>,
  cert: anything<Options["cert"]>,
  key: anything<Options["key"]>,
  passphrase: anything<Options["passphrase"]>,
  pfx: anything<Options["pfx"]>,
  proxy: anything<Options["proxy"]>,
  // Checked by `dispatchedBy`.
  dispatcher: anything<Options["dispatcher"]>
}

/** @internal */
export const optionNames: ReadonlyArray<string> = Object.keys(checks)

const settingsOf = (
  options: Options,
  environment: Environment,
  maxInFlight: number | undefined
): Effect.Effect<Settings, HookrailConfigError> =>
  Effect.flatMap(
    checkOptions(
      options.connections === undefined && maxInFlight !== undefined
        ? { ...options, connections: maxInFlight }
        : options,
      checks
    ),
    ({ connections, connectTimeout, keepAliveTimeout }) =>
      Effect.flatMap(secureContexts(options), (contexts) =>
        Effect.map(
          proxyOf(options.proxy, environment),
          (proxyOf) => ({
            connections,
            readsApart: options.connections === undefined,
            connectTimeout,
            keepAliveTimeout,
            contexts,
            proxyOf
          })
        ))
  )

/**
 * Makes a transport with its own connections, which close with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Service, HookrailConfigError, Scope.Scope> =>
  makeFor(options, undefined)

const makeFor = (
  options: Options,
  maxInFlight: number | undefined
): Effect.Effect<Service, HookrailConfigError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(open(options, configured, maxInFlight), ({ close }) => Effect.promise(close)),
    ({ transport }) => transport
  )

/**
 * The same for those who close it themselves, with any source for the proxy's variables.
 *
 * @param maxInFlight The default of `connections`.
 * @internal
 */
export const open = (
  options: Options = {},
  environment: Environment,
  maxInFlight: number | undefined
): Effect.Effect<Opened, HookrailConfigError> =>
  options.dispatcher === undefined ? overPools(options, environment, maxInFlight) : overDispatcher(options)

/** @internal */
export interface Opened {
  readonly transport: Service
  readonly close: () => Promise<void>
}

const overPools = (
  options: Options,
  environment: Environment,
  maxInFlight: number | undefined
): Effect.Effect<Opened, HookrailConfigError> =>
  Effect.map(settingsOf(options, environment, maxInFlight), (settings) => {
    const pools = new Pools(settings)
    return {
      transport: fromCallbacks((request, listener) => pools.start(request, listener)),
      close: () => pools.close()
    }
  })

const overDispatcher = (options: Options): Effect.Effect<Opened, HookrailConfigError> =>
  Effect.map(
    Effect.zipRight(checkOptions(options, checks), checked(() => dispatcherOf(options))),
    (dispatcher) => {
      const dispatched = new Dispatched(dispatcher)
      return {
        transport: fromCallbacks((request, listener) => dispatched.start(request, listener)),
        close: () => Promise.resolve(dispatched.close())
      }
    }
  )

const dispatcherOf = (options: Options): Dispatcher => {
  const { dispatcher, ...others } = options
  if (typeof (dispatcher as Partial<Dispatcher> | null)?.dispatch !== "function") {
    throw wrong("dispatcher", "must be a dispatcher of undici, such as `new Agent()`: it has no method `dispatch`")
  }
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined) {
      throw wrong(
        name,
        "has no meaning beside `dispatcher`: leave it out, and set it there"
      )
    }
  }
  return dispatcher!
}

/**
 * The transport over undici, with keep-alive connections per origin and time limits that are exact to the millisecond.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Transport, HookrailConfigError> =>
  Layer.scoped(Transport, make(options))

/**
 * The transport of a client that has so many requests in flight.
 *
 * @internal
 */
export const layerFor = (
  options: Options = {},
  maxInFlight: number | undefined
): Layer.Layer<Transport, HookrailConfigError> => Layer.scoped(Transport, makeFor(options, maxInFlight))
