/**
 * What a network error says about the request: certainly nothing was sent, or something may have been.
 */
import { TransportError } from "./error.js"

/** Codes of errors that only occur while a connection is established. */
const connectCodes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
  // an untrusted certificate: the client ends the handshake before it sends anything of the request
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "HOSTNAME_MISMATCH",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  // Bun
  "ConnectionRefused"
])

/**
 * How far the exchange got before it failed with this code. `"connect"` only if certainly nothing of the request was sent: the
 * caller then reports the event as not sent. `EHOSTUNREACH` alone is not enough, since a router may cause it in the middle of an
 * exchange; the system call decides.
 */
const phaseOfCode = (code: string | undefined, syscall?: string | undefined): "connect" | "response" => {
  if (syscall === "connect" || syscall === "getaddrinfo") return "connect"
  if (code === undefined) return "response"
  return connectCodes.has(code) || code.startsWith("EAI_") || code.startsWith("CERT_") ? "connect" : "response"
}

interface Coded {
  readonly error: Error
  readonly code: string | undefined
  readonly syscall: string | undefined
  /** The response was not HTTP. Such an error holds the received bytes, which may echo our own credentials. */
  readonly parser: boolean
}

const stringOf = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

/** Also of another realm: in Jest, the errors of Node are no instances of the `Error` that modules see. */
const isError = (value: unknown): value is Error =>
  value instanceof Error || Object.prototype.toString.call(value) === "[object Error]"

const codedOf = (error: Error): Coded => {
  const fields = error as { readonly code?: unknown; readonly syscall?: unknown }
  const code = stringOf(fields.code)
  const parser = error.name === "HTTPParserError" || code?.startsWith("HPE_") === true
  return { error, code, syscall: stringOf(fields.syscall), parser }
}

/** The innermost error with a code, else the outermost error: `fetch` and its wrappers hide the reason in `cause`. */
const rootOf = (error: unknown): Coded | undefined => {
  let found: Coded | undefined
  for (let depth = 0; isError(error) && depth < 8; depth++) {
    const coded = codedOf(error)
    if (found === undefined || coded.code !== undefined || coded.parser) found = coded
    error = error.cause
  }
  return found
}

/**
 * What OpenSSL and BoringSSL put into a message: `80CC...:error:0A00010B:SSL routines:ssl3_get_record:wrong version
 * number:../deps/openssl/...`. The fourth part is the reason.
 */
const tlsDump = /\w{0,16}:?error:\w{8}:[^:]*:[^:]*:([^:\n]*)[^]*/i

/** The reasons for bytes that are no TLS. Other words before them tell whose connection it was, as that of a proxy. */
const notTls = /^(\w+ EPROTO )?(wrong.version|packet length)/i

const descriptionOf = ({ code, error, parser }: Coded): string => {
  // Of undici, or of node:http, whose buffer becomes text.
  const { data, rawPacket = data } = error as { readonly data?: unknown; readonly rawPacket?: unknown }
  if (parser && String(rawPacket).startsWith("\u0015\u0003")) {
    // An alert of TLS.
    return "the server speaks TLS on this port: begin the base URL with https://"
  }
  const message = error.message.replace(tlsDump, "$1")
  return notTls.test(message)
    ? "the server does not speak TLS on this port: begin the base URL with http://"
    : message || code || error.name
}

/**
 * Makes the error of an exchange that broke off. It keeps the code and message of the innermost cause with a code, because
 * `fetch` and its wrappers hide the reason there. It drops the cause of a response that was not HTTP: such an error holds the
 * received bytes, which may echo credentials.
 *
 * `phase` decides what the sender is told: `"connect"` means that nothing was sent. Pass it if you know it: `"body"` once the
 * response headers have arrived, `"connect"` as long as certainly nothing was sent. By default it is `"connect"` for codes that
 * only occur while a connection is established (`ECONNREFUSED`, an untrusted certificate), and otherwise `"response"`: the
 * request may have arrived.
 *
 * @example
 * import { Transport } from "hookrail"
 * import { Effect } from "effect"
 *
 * declare const send: (request: Transport.TransportRequest) => Promise<Response>
 *
 * // Your own transport, on anything that works like fetch.
 * const transport: Transport.Service = {
 *   request: (request) =>
 *     Effect.gen(function*() {
 *       const response = yield* Effect.tryPromise({
 *         try: () => send(request),
 *         catch: (cause) => Transport.connectionError(cause)
 *       })
 *       const body = yield* Effect.tryPromise({
 *         try: () => response.text(),
 *         catch: (cause) => Transport.connectionError(cause, { phase: "body" })
 *       })
 *       return {
 *         status: response.status,
 *         header: (name: string) => response.headers.get(name) ?? undefined,
 *         body,
 *         truncated: false
 *       }
 *     }).pipe(
 *       Effect.timeoutFail({
 *         duration: request.timeout,
 *         onTimeout: () => Transport.timeoutError("response", request.timeout)
 *       })
 *     )
 * }
 *
 * @since 0.1.0
 * @category errors
 */
export const connectionError = (
  cause: unknown,
  options?: { readonly phase?: TransportError["phase"] | undefined }
): TransportError => {
  const root = rootOf(cause)
  const phase = options?.phase ?? phaseOfCode(root?.code, root?.syscall)
  if (root === undefined) return new TransportError({ reason: "connection", phase, description: "unknown failure" })
  return new TransportError({
    reason: "connection",
    phase,
    description: descriptionOf(root),
    ...(root.code === undefined ? {} : { code: root.code }),
    // An error about the name in a certificate holds the whole certificate, with cycles that JSON cannot represent.
    ...(root.parser || "cert" in root.error ? {} : { cause: root.error })
  })
}

/**
 * Makes the error of an exceeded time limit, in milliseconds.
 *
 * @param phase How far the exchange got: `"connect"` as long as certainly nothing was sent.
 * @since 0.1.0
 * @category errors
 */
export const timeoutError = (phase: TransportError["phase"], limit: number): TransportError => {
  const what = phase === "connect" ? "no connection" : phase === "response" ? "no answer" : "no complete answer"
  return new TransportError({ reason: "timeout", phase, limit, description: `${what} within ${limit} ms` })
}

/** Makes the error of a success whose body cannot be decompressed. */
export const unreadableError = (encoding: string): TransportError =>
  new TransportError({
    reason: "connection",
    phase: "body",
    description: `the answer is compressed (${encoding.slice(0, 40)}) and cannot be read: it was asked for uncompressed`
  })

const headerName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * Makes the error of headers that cannot be sent; `undefined` if they are valid. Call it before sending: runtimes quote the
 * invalid value in their own errors, and it may be a credential.
 *
 * @since 0.1.0
 * @category errors
 */
export const invalidRequest = (headers: Readonly<Record<string, string>>): TransportError | undefined => {
  for (const name of Object.keys(headers)) {
    const valid = headerName.test(name) && headerValue.test(headers[name] ?? "")
    if (!valid) {
      return new TransportError({ reason: "connection", phase: "connect", description: `invalid ${name} header` })
    }
  }
  return undefined
}
