/**
 * The fast transport on Node: undici's connection pool, driven directly.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { HookrailConfigError } from "hookrail/HookrailError"
import { fromCallbacks, Transport } from "hookrail/Transport"
import type { Service } from "hookrail/Transport"
import { secureContexts } from "./transport/certificates.js"
import { maxDelay } from "./transport/deadlines.js"
import { Pools, type Settings } from "./transport/pools.js"
import { proxyOf } from "./transport/proxy.js"

/**
 * All of it is checked when the transport is made. Certificates and keys are PEM: the content of a file, not its name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * How many connections to hold at most, per origin. Default: 64; `NodeHookrail.layer` takes the client's `maxInFlight`, so
   * that no request waits for a connection.
   */
  readonly connections?: number | undefined
  /** How long establishing a connection may take, proxy and TLS included. Default: 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /**
   * How long an idle connection is kept. Stay below the server's own limit, which is 60 seconds. A shorter hint of the
   * server, as in `Keep-Alive: timeout=5`, wins. Default: 30 seconds.
   */
  readonly keepAliveTimeout?: Duration.DurationInput | undefined
  /** Certificate authorities to trust instead of Node's own, for the server and for an `https` proxy. */
  readonly ca?: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined
  /** The certificate of the client, and those between it and the authority, for a server that asks for one. Needs `key`. */
  readonly cert?: string | Uint8Array | undefined
  /** The private key of `cert`. */
  readonly key?: string | Uint8Array | Redacted.Redacted<string> | undefined
  /** What opens an encrypted `key` or `pfx`. */
  readonly passphrase?: string | Redacted.Redacted<string> | undefined
  /** Certificate and key in one, as PKCS #12, instead of `cert` and `key`. */
  readonly pfx?: Uint8Array | undefined
  /**
   * The URL of the HTTP proxy that every request goes through, with a user name and password if it needs them; `false` for
   * none, whatever the environment says. Default: `HTTPS_PROXY` or `HTTP_PROXY`, by the scheme of the server, and `NO_PROXY`,
   * read through Effect's `ConfigProvider` when the transport is made. Lower-case names win. A server on the loopback
   * interface is always reached directly then.
   */
  readonly proxy?: string | URL | Redacted.Redacted<string> | false | undefined
}

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
    return Effect.all({
      connections: Effect.succeed(connections),
      connectTimeout: millis("connectTimeout", options.connectTimeout, 5_000),
      keepAliveTimeout: millis("keepAliveTimeout", options.keepAliveTimeout, 30_000),
      contexts: secureContexts(options),
      proxyOf: proxyOf(options.proxy)
    })
  })

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
