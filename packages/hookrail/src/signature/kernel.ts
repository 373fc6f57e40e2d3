/**
 * The webhook signature of protocol section 4.3, and nothing else: no Effect, no imports, no I/O, no clock.
 *
 * `SignatureVerifier` and `@hookrail/promise/verify` are thin wrappers of this file. On Node all of it is synchronous, so
 * neither of them pays for a Promise; elsewhere WebCrypto returns one.
 */

/** The input of a MAC, with each `ArrayBuffer` wrapped. A string stands for its UTF-8. */
type Bytes = string | Uint8Array

/** The headers of a delivery as received, checked at run time whatever their types say. */
export interface SignedHeaders {
  readonly signature?: string | undefined
  readonly deliveryId?: string | undefined
  readonly eventId?: string | undefined
  readonly topic?: string | undefined
}

/** The raw body. */
type Body = Bytes | ArrayBuffer

/** `fields` are the fields of the error that the wrappers create. */
interface Failure<Reason, Fields> {
  readonly ok: false
  readonly reason: Reason
  readonly fields: Fields
}

/** A failure that is known without the body. */
export type Refusal =
  | Failure<"malformed", { readonly reason: string }>
  | Failure<"timestamp", { readonly ageSeconds: number; readonly toleranceSeconds: number }>

/** The result of a verification: plain data, which each wrapper turns into its own types. */
export type Verdict =
  | {
    readonly ok: true
    readonly webhook: {
      readonly deliveryId: string
      readonly eventId: string | undefined
      readonly topic: string | undefined
      readonly body: Bytes
      readonly signedAtSeconds: number
      /** The index of the key that matched. */
      readonly secretIndex: number
    }
  }
  | Refusal
  | Failure<"mismatch", { readonly reason: string }>

/** An imported secret. Within one runtime, all are of one kind. `head` is the part of the message before the body. */
export type Key = NodeKey | WebKey

interface NodeKey {
  readonly mac: (head: string, body: Bytes) => Uint8Array
  readonly matches: (head: string, body: Bytes, mac: Uint8Array<ArrayBuffer>) => boolean
}

interface WebKey {
  readonly key: () => Promise<CryptoKey>
  readonly matches: (head: string, body: Bytes, mac: Uint8Array<ArrayBuffer>) => Promise<boolean>
}

/** The default tolerance, in seconds: the one that Hookrail recommends. */
export const defaultToleranceSeconds = 300

/** The request cannot have come from Hookrail in this form. */
const malformed = (reason: string): Refusal => ({ ok: false, reason: "malformed", fields: { reason } })

// ---------------------------------------------------------------------------------------------------------------
// header
// ---------------------------------------------------------------------------------------------------------------

/** The value of a hex digit; otherwise so negative that any byte built from it is negative. */
const nibble = (text: string, index: number): number => {
  const code = text.charCodeAt(index)
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -999
}

/**
 * Parses `t=<unix seconds>,v1=<64 hex digits>` as Hookrail's own verifier does: parts are trimmed, unknown ones ignored,
 * and the last of several counts. Never throws. Returns the unix seconds, or -1 for anything else. Writes the bytes to
 * `mac`, which has room for 32; its content is undefined after a -1.
 *
 * Works by index, without substrings: regular expressions and slices would cost a tenth of the MAC. Node's hex decoder is no
 * alternative: it stops silently at the first invalid character.
 */
export const parseSignature = (header: string, mac: Uint8Array): number => {
  let timestamp = NaN
  let isMac = false
  for (let start = 0, next; start < header.length; start = next) {
    let end = header.indexOf(",", start)
    if (end < 0) end = header.length
    next = end + 1
    while (header.charCodeAt(start) <= 32) start++
    while (end > start && header.charCodeAt(end - 1) <= 32) end--
    if (header.startsWith("t=", start)) {
      start += 2
      timestamp = start < end ? 0 : NaN
      for (; start < end; start++) {
        const digit = nibble(header, start)
        timestamp = digit >= 0 && digit <= 9 ? timestamp * 10 + digit : NaN
      }
    } else if (header.startsWith("v1=", start)) {
      start += 3
      isMac = end - start === 64
      for (let index = 0; isMac && index < 32; index++, start += 2) {
        const byte = nibble(header, start) * 16 + nibble(header, start + 1)
        mac[index] = byte
        isMac = byte >= 0
      }
    }
  }
  // Beyond the safe integers the signed decimal cannot be reconstructed.
  return isMac && Number.isSafeInteger(timestamp) ? timestamp : -1
}

// ---------------------------------------------------------------------------------------------------------------
// keys
// ---------------------------------------------------------------------------------------------------------------

/** The parts of `node:crypto` that are used, declared here to need no Node types. */
interface NodeCrypto {
  readonly createSecretKey: (secret: string, encoding: "utf8") => object
  readonly createHmac: (algorithm: "sha256", key: object) => Hmac
  /** Missing in some polyfills of `node:crypto`. */
  readonly timingSafeEqual?: (a: Uint8Array, b: Uint8Array) => boolean
}

interface Hmac {
  readonly update: (data: Bytes) => Hmac
  readonly digest: () => Uint8Array
}

interface Host {
  readonly process?: { readonly getBuiltinModule?: (id: string) => NodeCrypto | undefined }
}

/** Compares all bytes, so that timing reveals nothing. Without `timingSafeEqual` this is best effort. */
const equal = (a: Uint8Array, b: Uint8Array): boolean => {
  let difference = 0
  for (let index = 0; index < 32; index++) difference |= a[index]! ^ b[index]!
  return difference === 0
}

/** A key of `node:crypto`: five times as fast as WebCrypto, and synchronous. The body is not copied. */
const nodeKey = (crypto: NodeCrypto, secret: string): NodeKey => {
  const key = crypto.createSecretKey(secret, "utf8")
  const { timingSafeEqual = equal } = crypto
  const mac = (head: string, body: Bytes) => crypto.createHmac("sha256", key).update(head).update(body).digest()
  return { mac, matches: (head, body, expected) => timingSafeEqual(mac(head, body), expected) }
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

const concat = (head: string, body: Bytes): Uint8Array<ArrayBuffer> => {
  const first = utf8(head)
  const rest = typeof body === "string" ? utf8(body) : body
  const message = new Uint8Array(first.length + rest.length)
  message.set(first)
  message.set(rest, first.length)
  return message
}

/** A key of WebCrypto, imported on first use. Its `verify` compares in constant time. */
const webKey = (secret: string): WebKey => {
  let imported: Promise<CryptoKey> | undefined
  const key = () =>
    imported ??= crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
      "verify"
    ])
  return {
    key,
    matches: (head, body, mac) => {
      // Copied before anything is awaited: both buffers may be reused by then.
      const message = concat(head, body)
      const own = mac.slice()
      return key().then((key) => crypto.subtle.verify("HMAC", key, own, message))
    }
  }
}

/** Imports a secret: its bytes are the key, including the `whsec_`. */
export const importKey = (secret: string): Key => {
  try {
    // Not an import: it would break bundlers for browsers, and fail on other runtimes.
    const node = (globalThis as Host).process?.getBuiltinModule?.("node:crypto")
    const key = nodeKey(node!, secret)
    // Some workers have only stubs in node:crypto: detect them here rather than on the first webhook.
    if (key.mac("", "").length === 32) return key
  } catch {
    // No node:crypto, or one without HMAC.
  }
  return webKey(secret)
}

/** Whether a key can work: one of WebCrypto cannot on a page that was not loaded over https, for example. */
export const isUsable = (key: Key): boolean =>
  "mac" in key || (globalThis as Partial<typeof globalThis>).crypto?.subtle !== undefined

const keys = new Map<string, Key>()

/** `importKey` with a cache, for callers that pass the secrets with each call. */
export const cachedKey = (secret: string): Key => {
  let key = keys.get(secret)
  if (key === undefined) {
    key = importKey(secret)
    // Enough for any single receiver, and a bound for those with one secret per tenant.
    if (keys.size >= 1000) keys.clear()
    keys.set(secret, key)
  }
  return key
}

/** The minimum size of a secret in bytes: shorter ones can be guessed, or are `whsec_` or `undefined` as text. */
export const shortestSecret = 16

/** Whether it may be a secret: surrounding white space or quotes come from a file or a shell. */
export const isSecret = (secret: unknown): secret is string =>
  typeof secret === "string" && /^[^\s"'`]([^]*[^\s"'`])?$/.test(secret) && isLongEnough(secret)

export const isLongEnough = (secret: string): boolean =>
  secret.length >= shortestSecret || utf8(secret).length >= shortestSecret

// ---------------------------------------------------------------------------------------------------------------
// verification
// ---------------------------------------------------------------------------------------------------------------

/** Detects views structurally, not by `instanceof`: some test runners have their own `Uint8Array`, but Node's `Buffer`. */
const bytesOf = (body: unknown): Bytes | undefined =>
  typeof body === "string" || (ArrayBuffer.isView(body) && (body as Uint8Array).BYTES_PER_ELEMENT === 1)
    ? body as Bytes
    : body instanceof ArrayBuffer
    ? new Uint8Array(body)
    : undefined

const rawBodyAdvice = "the raw body, text or bytes, before any parser"

const bodyFault = `give ${rawBodyAdvice}: JSON.stringify does not restore it`

/**
 * Holds the bytes of a header during `verify`. Node's crypto is much slower with a new small array than with one it has
 * seen. Nothing else runs before the bytes are compared or copied, so sharing the array is safe.
 */
const scratch = new Uint8Array(32)

/** Checks what needs no body: form first, then time. Returns the unix seconds, and leaves the MAC in `scratch`. */
export const inspect = (
  { deliveryId, signature }: SignedHeaders,
  nowMillis: number,
  toleranceMillis: number
): number | Refusal => {
  if (!signature) return malformed("header hookrail-signature is missing")
  // The message is t.id.body: with a dot in the id, its end could move into the body under the same MAC.
  if (!deliveryId || /\./.test(deliveryId)) {
    return malformed("header hookrail-delivery-id is missing or has dots")
  }
  const timestamp = parseSignature(signature, scratch)
  if (timestamp < 0) return malformed("header hookrail-signature is not t=<unix seconds>,v1=<64 hex digits>")
  const ageMillis = nowMillis - timestamp * 1000
  // Negated, so that a NaN clock is refused.
  if (!(Math.abs(ageMillis) <= toleranceMillis)) {
    return {
      ok: false,
      reason: "timestamp",
      fields: { ageSeconds: ageMillis / 1000, toleranceSeconds: toleranceMillis / 1000 }
    }
  }
  return timestamp
}

type Webhook = Extract<Verdict, { readonly ok: true }>["webhook"]

/**
 * Built from `{}`, not from a literal with all fields: it lives as long as a handler runs, and V8 allocates the literals of
 * one place in the old generation once some have survived.
 */
const webhookOf = (
  deliveryId: string,
  eventId: string | undefined,
  topic: string | undefined,
  body: Bytes,
  signedAtSeconds: number,
  secretIndex: number
): Webhook => {
  const webhook = {} as { -readonly [K in keyof Webhook]: Webhook[K] }
  webhook.deliveryId = deliveryId
  webhook.eventId = eventId
  webhook.topic = topic
  webhook.body = body
  webhook.signedAtSeconds = signedAtSeconds
  webhook.secretIndex = secretIndex
  return webhook
}

/**
 * Verifies a signature: form and time first, then the MAC of each key. All keys are tried, even after a match. Returns a
 * Promise only where there is no `node:crypto`.
 */
export const verify = (
  keys: ReadonlyArray<Key>,
  headers: SignedHeaders,
  rawBody: Body,
  nowMillis: number,
  toleranceMillis: number
): Verdict | Promise<Verdict> => {
  const body = bytesOf(rawBody)
  if (body === undefined) return malformed(bodyFault)
  const timestamp = inspect(headers, nowMillis, toleranceMillis)
  if (typeof timestamp !== "number") return timestamp
  const { eventId, topic } = headers
  // `inspect` has checked it.
  const deliveryId = headers.deliveryId!
  const head = `${timestamp}.${deliveryId}.`
  const settle = (secretIndex: number): Verdict =>
    secretIndex < 0
      ? {
        ok: false,
        reason: "mismatch",
        fields: { reason: `use the endpoint's secret, whsec_ included, and ${rawBodyAdvice}` }
      }
      : { ok: true, webhook: webhookOf(deliveryId, eventId, topic, body, timestamp, secretIndex) }
  const pending: Array<Promise<boolean>> = []
  let secretIndex = -1
  // From the last, so that the first one that matches counts.
  for (let index = keys.length - 1; index >= 0; index--) {
    const match = keys[index]!.matches(head, body, scratch)
    if (match === true) secretIndex = index
    else if (match) pending[index] = match
  }
  return pending.length > 0
    ? Promise.all(pending).then((matches) => settle(matches.indexOf(true)))
    : settle(secretIndex)
}

/**
 * The header value that Hookrail would send. Returns a Promise only where there is no `node:crypto`. Throws a `TypeError`
 * for a body that is neither text nor bytes.
 */
export const sign = (
  key: Key,
  deliveryId: string,
  body: Body,
  timestampSeconds: number
): string | Promise<string> => {
  const bytes = bytesOf(body)
  if (bytes === undefined) throw new TypeError(bodyFault)
  const render = (mac: Uint8Array): string =>
    `t=${timestampSeconds},v1=${Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
  const head = `${timestampSeconds}.${deliveryId}.`
  if ("mac" in key) return render(key.mac(head, bytes))
  const message = concat(head, bytes)
  return key.key()
    .then((key) => crypto.subtle.sign("HMAC", key, message))
    .then((mac) => render(new Uint8Array(mac)))
}

// ---------------------------------------------------------------------------------------------------------------
// requests
// ---------------------------------------------------------------------------------------------------------------

/** `Headers` of fetch, `req.headers` of Node, or any record. Names are case-insensitive. */
export type HeaderBag =
  | { readonly get: (name: string) => string | null | undefined }
  | { readonly [name: string]: string | ReadonlyArray<string> | undefined }

/** One header. */
export const header = (headers: HeaderBag, name: string): string | undefined => {
  const bag = Object(headers)
  const value: unknown = typeof bag.get === "function"
    ? bag.get(name)
    : bag[name] ?? bag[Object.keys(bag).find((key) => key.toLowerCase() === name && bag[key]) ?? name]
  // An array becomes what fetch makes of a repeated header.
  return value ? String(value) : undefined
}

/**
 * HTTP headers are bytes, which both Node and fetch read as Latin-1; Hookrail writes UTF-8 (protocol section 4.1). `escape`
 * returns `%XX` for a byte. A character above Latin-1 means decoded text; for it `escape` returns something that cannot be
 * decoded.
 */
const fromLatin1 = (text: string): string => {
  if (!/[\x80-\xff]/.test(text)) return text
  try {
    return decodeURIComponent(escape(text))
  } catch {
    return text
  }
}

/** The four headers of a delivery; any may be missing. */
export const readHeaders = (headers: HeaderBag): SignedHeaders => {
  const topic = header(headers, "hookrail-topic")
  return {
    topic: topic && fromLatin1(topic),
    signature: header(headers, "hookrail-signature"),
    deliveryId: header(headers, "hookrail-delivery-id"),
    eventId: header(headers, "hookrail-event-id")
  }
}
