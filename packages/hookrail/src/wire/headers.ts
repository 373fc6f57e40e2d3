/** Checks of the headers that a program adds to a request. */

/** Headers that the client writes itself. */
const owned: ReadonlyArray<string> = [
  "accept",
  "accept-encoding",
  "authorization",
  "content-encoding",
  "content-length",
  "content-type",
  "host",
  "idempotency-key",
  "user-agent",
  "x-hookrail-ordering-key"
]

/** Headers that are about the connection, not about the request (RFC 9110, section 7.6.1), and `expect`, which fetch refuses. */
const hopByHop: ReadonlyArray<string> = [
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade"
]

const instead: Readonly<Record<string, string>> = {
  authorization: "use the option apiKey of the client",
  "idempotency-key": "use the option idempotencyKey",
  "user-agent": "use the option appInfo of the client",
  "x-hookrail-ordering-key": "use the option orderingKey"
}

/**
 * Copies the headers of a call, with names in lower case, onto those of the client. Returns why they are invalid, without any
 * value: it may be a secret.
 */
export const addHeaders = (target: Record<string, string>, given: unknown): string | undefined => {
  if (typeof given !== "object" || given === null || Array.isArray(given) || Symbol.iterator in given) {
    return "they must be an object, such as { \"x-request-id\": \"r_1\" }"
  }
  const seen: Array<string> = []
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const key = name.toLowerCase()
    if (!/^[!#$%&'*+\-.^_`|~0-9a-z]{1,256}$/.test(key) || key === "__proto__") {
      return `${JSON.stringify(name.slice(0, 64))} is not the name of a header`
    }
    if (owned.includes(key)) {
      const hint = instead[key]
      return `${key} is written by the client${hint === undefined ? "" : `: ${hint}`}`
    }
    if (hopByHop.includes(key)) return `${key} is about the connection, which the client manages`
    if (typeof value !== "string") return `${key} must be a text`
    if (!/^[\t\x20-\x7e]*$/.test(value)) return `${key} has a line break or a character that is not ASCII`
    if (seen.includes(key)) return `${key} is given twice, in different spellings`
    seen.push(key)
    target[key] = value
  }
  return undefined
}
