/**
 * Chooses the proxy of a request: from the options, or from the environment by the conventions of curl and most other clients.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Environment } from "hookrail/HookrailConfig"
import type { HookrailConfigError } from "hookrail/HookrailError"
import { BlockList, isIP } from "node:net"
import { checked, wrong } from "./checked.js"

/** An HTTP proxy and its credentials. */
export class Proxy {
  /** Its URL without credentials, for messages. */
  readonly name: string
  readonly protocol: string
  /** With the port, unless it is the default one. */
  readonly host: string
  /** Without brackets. */
  readonly hostname: string
  readonly port: string
  /** Private at run time too, so that printing the object does not reveal it. */
  readonly #authorization: string | undefined

  constructor(url: URL, authorization: string | undefined) {
    this.name = `${url.protocol}//${url.host}`
    this.protocol = url.protocol
    this.host = url.host
    this.hostname = unbracketed(url.hostname)
    this.port = url.port
    this.#authorization = authorization
  }

  /** The value of `proxy-authorization`. */
  authorization(): string | undefined {
    return this.#authorization
  }
}

/** Node's error code for a proxy that does not open a tunnel. */
export const proxyCode = "ERR_PROXY_TUNNEL"

/** Describes the refusal of a proxy. */
export const refusal = (proxy: Proxy, status: number, what: string): string =>
  status === 407
    ? `the proxy ${proxy.name} refused ${what} (407): ${
      proxy.authorization() === undefined
        ? "it wants a user name and a password, which belong into the URL of the proxy"
        : "it does not accept the user name and password in the URL of the proxy"
    }`
    : `the proxy ${proxy.name} refused ${what} (${status})`

/** Finds the proxy for an origin; `undefined` for a direct connection. */
export type ProxyOf = (origin: URL) => Proxy | undefined

const direct: ProxyOf = () => undefined

const unbracketed = (hostname: string): string => hostname.startsWith("[") ? hostname.slice(1, -1) : hostname

const example = "such as \"http://proxy.example.com:3128\""

/** Throws a `HookrailConfigError` without the URL, which may contain a password. */
const parse = (option: string, input: unknown): Proxy => {
  const value = Redacted.isRedacted(input) ? Redacted.value(input) : input
  const text = value instanceof URL ? value.href : value
  if (typeof text !== "string") throw wrong(option, `must be the URL of an HTTP proxy, ${example}, or false`)
  let url: URL
  let authorization: string | undefined
  try {
    // The scheme is optional, as other clients allow in the environment.
    url = new URL(text.includes("://") ? text.trim() : `http://${text.trim()}`)
    if (url.username !== "" || url.password !== "") {
      const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
      authorization = `Basic ${Buffer.from(credentials).toString("base64")}`
    }
  } catch {
    throw wrong(option, `must be a URL, ${example}: percent-encode what is special in its user name and password`)
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw wrong(option, `must be the URL of an HTTP proxy, ${example}: ${url.protocol}// is not supported`)
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw wrong(
      option,
      `must be a URL without a path, ${example}: percent-encode what is special in its user name and password`
    )
  }
  return new Proxy(url, authorization)
}

const familyOf = (address: string): "ipv4" | "ipv6" => isIP(address) === 6 ? "ipv6" : "ipv4"

const contains = (list: BlockList, host: string): boolean => isIP(host) !== 0 && list.check(host, familyOf(host))

/** 127.0.0.0/8, ::1, and their names. */
const isLoopback = (host: string): boolean =>
  host === "localhost" || host.endsWith(".localhost") || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))

/** One entry of `NO_PROXY`: `host`, `.host`, `*.host`, an address or a CIDR block, each with or without a port. */
class NoProxy {
  private readonly host: string
  private readonly port: string | undefined
  private readonly block: BlockList | undefined

  constructor(entry: string) {
    const [, host = "", port] = isIP(entry) === 6 ? ["", entry] : /^(.*?)(?::(\d+))?$/.exec(entry)!
    this.host = unbracketed(host.toLowerCase().replace(/^\*?\./, "").replace(/\.$/, ""))
    this.port = port
    this.block = blockOf(this.host)
  }

  fits(host: string, port: string): boolean {
    if (this.port !== undefined && this.port !== port) return false
    if (this.block !== undefined) return contains(this.block, host)
    return host === this.host || host.endsWith(`.${this.host}`)
  }
}

const blockOf = (text: string): BlockList | undefined => {
  const [, address = "", bits = ""] = /^(.+)\/(\d{1,3})$/.exec(text) ?? []
  const version = isIP(address)
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) return undefined
  const block = new BlockList()
  block.addSubnet(address, Number(bits), familyOf(address))
  return block
}

/** Whether an origin is reached directly: `NO_PROXY` lists it, or it is a loopback address. */
const exceptionsOf = (noProxy: string): (host: string, port: string) => boolean => {
  const entries = noProxy.split(/[\s,]+/).filter((entry) => entry !== "")
  if (entries.includes("*")) return () => true
  const exceptions = entries.map((entry) => new NoProxy(entry))
  return (host, port) => isLoopback(host) || exceptions.some((exception) => exception.fits(host, port))
}

/** Environment variables by name. */
type Variables = Readonly<Record<string, string | undefined>>

const names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "REQUEST_METHOD"]

const readVariables = (environment: Environment): Effect.Effect<Variables, HookrailConfigError> =>
  names.reduce<Effect.Effect<Variables, HookrailConfigError>>(
    (variables, name) =>
      Effect.flatMap(variables, (known) => Effect.map(environment(name), (value) => ({ ...known, [name]: value }))),
    Effect.succeed({})
  )

/** The variable that applies: the lower-case one if it is set, even to an empty value, else the upper-case one. */
const chosen = (variables: Variables, name: string): readonly [name: string, value: string] => {
  const lower = name.toLowerCase()
  // In a CGI program, `HTTP_PROXY` is the `Proxy` header of an incoming request, which anyone can set.
  const upper = name === "HTTP_PROXY" && variables["REQUEST_METHOD"] !== undefined ? undefined : variables[name]
  const value = variables[lower]
  return value === undefined ? [name, (upper ?? "").trim()] : [lower, value.trim()]
}

const fromVariables = (variables: Variables): ProxyOf => {
  const proxyIn = (name: string): Proxy | undefined => {
    const [found, value] = chosen(variables, name)
    return value === "" ? undefined : parse(found, value)
  }
  const http = proxyIn("HTTP_PROXY")
  const https = proxyIn("HTTPS_PROXY")
  if (http === undefined && https === undefined) return direct
  const isException = exceptionsOf(chosen(variables, "NO_PROXY")[1])
  return ({ hostname, port, protocol }) => {
    const host = unbracketed(hostname).replace(/\.$/, "")
    const proxy = protocol === "https:" ? https : http
    return proxy === undefined || isException(host, port || (protocol === "https:" ? "443" : "80")) ? undefined : proxy
  }
}

export type ProxyOption = string | URL | Redacted.Redacted<string> | false

/** Chooses the proxy from the option, which applies to every request, or from the current environment. */
export const proxyOf = (
  option: ProxyOption | undefined,
  environment: Environment
): Effect.Effect<ProxyOf, HookrailConfigError> => {
  if (option === undefined) {
    return Effect.flatMap(readVariables(environment), (variables) => checked(() => fromVariables(variables)))
  }
  if (option === false) return Effect.succeed(direct)
  return checked(() => {
    const proxy = parse("proxy", option)
    return () => proxy
  })
}
