/**
 * What an error of the network says about the request: nothing has left, or something may have.
 */
import { TransportError } from "./error.js"

/** Failures that can only happen while a connection is being established. */
const connectCodes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
  // a certificate that is not accepted: the client ends the handshake, and nothing of the request has left
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
 * How far the exchange had come when it failed with this code. `"connect"` only where it is certain that nothing of the
 * request has left; the caller reports the event as not sent. So `EHOSTUNREACH` alone is not enough: a router may send
 * it in the middle of an exchange. The system call tells.
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
  /** The answer was not HTTP. Such an error holds the bytes received, which may be an echo of our own credentials. */
  readonly parser: boolean
}

const stringOf = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

const codedOf = (error: Error): Coded => {
  const fields = error as { readonly code?: unknown; readonly syscall?: unknown }
  const code = stringOf(fields.code)
  const parser = error.name === "HTTPParserError" || code?.startsWith("HPE_") === true
  return { error, code, syscall: stringOf(fields.syscall), parser }
}

/** The innermost error that says something, else the outermost: `fetch` and its wrappers hide the reason in `cause`. */
const rootOf = (error: unknown): Coded | undefined => {
  let found: Coded | undefined
  for (let depth = 0; error instanceof Error && depth < 8; depth++) {
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
 * The error of an exchange that broke off. It keeps the code and message of the innermost cause that has one, because
 * `fetch` and its wrappers hide the reason there (of what a TLS library dumps into a message only the reason), and drops the cause of an answer that was not HTTP: such an error holds
 * the bytes received, which may be an echo of credentials.
 *
 * `phase` decides what the sender is told: after `"connect"` that nothing was sent. Give it if you know it: `"body"` once
 * the headers of the answer are here, `"connect"` as long as nothing can have left. Without it the phase is
 * `"connect"` for codes that only occur while a connection is established (`ECONNREFUSED`, a certificate that is not
 * trusted), and otherwise `"response"`: the request may have arrived.
 *
 * @example
 * import { Transport } from "hookrail"
 * import { Effect } from "effect"
 *
 * declare const send: (request: Transport.TransportRequest) => Promise<Response>
 *
 * // A transport of your own, on anything that works like fetch.
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
    // An error about the name in a certificate holds all of it, in circles that cannot be printed as JSON.
    ...(root.parser || "cert" in root.error ? {} : { cause: root.error })
  })
}

/**
 * The error of a limit that was exceeded, in milliseconds.
 *
 * @param phase How far the exchange had come: `"connect"` as long as nothing can have left.
 * @since 0.1.0
 * @category errors
 */
export const timeoutError = (phase: TransportError["phase"], limit: number): TransportError => {
  const what = phase === "connect" ? "no connection" : phase === "response" ? "no answer" : "no complete answer"
  return new TransportError({ reason: "timeout", phase, limit, description: `${what} within ${limit} ms` })
}

/** The error of a success whose body cannot be decompressed. */
export const unreadableError = (encoding: string): TransportError =>
  new TransportError({
    reason: "connection",
    phase: "body",
    description: `the answer is compressed (${encoding.slice(0, 40)}) and cannot be read: it was asked for uncompressed`
  })

const headerName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The error of headers that cannot be sent, if they cannot. Runtimes quote the offending value in their own error, and it
 * may be a credential: ask first.
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
