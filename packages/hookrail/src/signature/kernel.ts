/**
 * The webhook signature of protocol section 4.3, and nothing else: no Effect, no import, no I/O, no clock.
 *
 * `SignatureVerifier` and `@hookrail/promise/verify` are thin covers of this file. On Node all of it is synchronous, so
 * neither of them pays for a Promise that is not needed; elsewhere WebCrypto answers with a Promise.
 */

/** What a MAC is taken of, once `ArrayBuffer`s are wrapped. A string stands for its UTF-8. */
type Bytes = string | Uint8Array

/** The headers of a delivery, as they came: TypeScript's promises about them are not relied on. */
export interface SignedHeaders {
  readonly signature?: string | undefined
  readonly deliveryId?: string | undefined
  readonly eventId?: string | undefined
  readonly topic?: string | undefined
}

/** The raw body. */
type Body = Bytes | ArrayBuffer

/** `fields` are those of the error that the covers make of it. */
interface Failure<Reason, Fields> {
  readonly ok: false
  readonly reason: Reason
  readonly fields: Fields
}

/** What can be told without the body. */
export type Refusal =
  | Failure<"malformed", { readonly reason: string }>
  | Failure<"timestamp", { readonly ageSeconds: number; readonly toleranceSeconds: number }>

/** What became of a verification: plain data, which each cover turns into its own types. */
export type Verdict =
  | {
    readonly ok: true
    readonly webhook: {
      readonly deliveryId: string
      readonly eventId: string | undefined
      readonly topic: string | undefined
      readonly body: Bytes
      readonly signedAtSeconds: number
      /** Which of the keys matched, from 0. */
      readonly secretIndex: number
    }
  }
  | Refusal
  | Failure<"mismatch", { readonly reason: string }>

/** A secret made ready. Of one runtime, all are of one kind. `head` is the part of the message before the body. */
export type Key = NodeKey | WebKey

interface NodeKey {
  readonly mac: (head: string, body: Bytes) => Uint8Array
  readonly matches: (head: string, body: Bytes, mac: Uint8Array<ArrayBuffer>) => boolean
}

interface WebKey {
  readonly key: () => Promise<CryptoKey>
  readonly matches: (head: string, body: Bytes, mac: Uint8Array<ArrayBuffer>) => Promise<boolean>
}

/** The default tolerance, in seconds: what Hookrail itself suggests. */
export const defaultToleranceSeconds = 300

/** The request cannot have come from Hookrail in this form. */
const malformed = (reason: string): Refusal => ({ ok: false, reason: "malformed", fields: { reason } })

// ---------------------------------------------------------------------------------------------------------------
// header
// ---------------------------------------------------------------------------------------------------------------

/** The value of a hex digit; for any other character so negative that a byte made with it is, too. */
const nibble = (text: string, index: number): number => {
  const code = text.charCodeAt(index)
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -999
}

/**
 * Reads `t=<unix seconds>,v1=<64 hex digits>` as Hookrail's own verifier does: parts are trimmed, unknown ones ignored,
 * and of several the last one counts. Never throws. Gives the unix seconds, or -1 for anything else; the bytes go into
 * `mac`, which has room for 32 and whose content means nothing after a -1.
 *
 * By index, without a single substring: regular expressions and slices would cost a tenth of the MAC. Nor can Node's own
 * decoder of hex serve, it stops silently at the first other character.
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
  // Beyond the safe integers the decimal that was signed could not be told.
  return isMac && Number.isSafeInteger(timestamp) ? timestamp : -1
}

// ---------------------------------------------------------------------------------------------------------------
// keys
// ---------------------------------------------------------------------------------------------------------------

/** The little of `node:crypto` that is used, so that no Node types are needed. */
interface NodeCrypto {
  readonly createSecretKey: (secret: string, encoding: "utf8") => object
  readonly createHmac: (algorithm: "sha256", key: object) => Hmac
  /** Not in every imitation of `node:crypto`. */
  readonly timingSafeEqual?: (a: Uint8Array, b: Uint8Array) => boolean
}

interface Hmac {
  readonly update: (data: Bytes) => Hmac
  readonly digest: () => Uint8Array
}

interface Host {
  readonly process?: { readonly getBuiltinModule?: (id: string) => NodeCrypto | undefined }
}

/** All bytes are compared, so that the time tells nothing. Where `timingSafeEqual` is missing, as well as one can. */
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
      // Copied before anything is awaited: both buffers may be used again by then.
      const message = concat(head, body)
      const own = mac.slice()
      return key().then((key) => crypto.subtle.verify("HMAC", key, own, message))
    }
  }
}

/** Makes a secret ready: its bytes are the key, the `whsec_` included. */
export const importKey = (secret: string): Key => {
  try {
    // Not an import: bundlers for the browser would stumble over it, and it would not be there elsewhere.
    const node = (globalThis as Host).process?.getBuiltinModule?.("node:crypto")
    const key = nodeKey(node!, secret)
    // Some workers have a node:crypto of stubs: better to learn it here than on the first webhook.
    if (key.mac("", "").length === 32) return key
  } catch {
    // No node:crypto, or one that cannot do it.
  }
  return webKey(secret)
}

/** Whether a key can work: that of WebCrypto cannot on a page that was not loaded over https, say. */
export const isUsable = (key: Key): boolean =>
  "mac" in key || (globalThis as Partial<typeof globalThis>).crypto?.subtle !== undefined

const keys = new Map<string, Key>()

/** `importKey`, remembering the keys of the last secrets for callers that give them with each call. */
export const cachedKey = (secret: string): Key => {
  let key = keys.get(secret)
  if (key === undefined) {
    key = importKey(secret)
    // Enough for any one receiver, and a bound for those with a secret for each tenant.
    if (keys.size >= 1000) keys.clear()
    keys.set(secret, key)
  }
  return key
}

/** The fewest bytes that may be a secret: shorter ones can be guessed, or are `whsec_` or `undefined` as text. */
export const shortestSecret = 16

/** Whether it may be a secret: white space or quotes around it have come from a file or a shell. */
export const isSecret = (secret: unknown): secret is string =>
  typeof secret === "string" && /^[^\s"'`]([^]*[^\s"'`])?$/.test(secret) && isLongEnough(secret)

export const isLongEnough = (secret: string): boolean =>
  secret.length >= shortestSecret || utf8(secret).length >= shortestSecret

// ---------------------------------------------------------------------------------------------------------------
// verification
// ---------------------------------------------------------------------------------------------------------------

/** A view by its looks, not by `instanceof`: some test runners have a `Uint8Array` of their own, but Node's `Buffer`. */
const bytesOf = (body: unknown): Bytes | undefined =>
  typeof body === "string" || (ArrayBuffer.isView(body) && (body as Uint8Array).BYTES_PER_ELEMENT === 1)
    ? body as Bytes
    : body instanceof ArrayBuffer
    ? new Uint8Array(body)
    : undefined

const rawBodyAdvice = "the raw body, text or bytes, before any parser"

const bodyFault = `give ${rawBodyAdvice}: JSON.stringify does not restore it`

/**
 * Where the bytes of a header go during `verify`. Node's crypto takes a fresh small array much more slowly than one it
 * has seen, and nothing else runs before they are compared, or copied.
 */
const scratch = new Uint8Array(32)

/** What can be told without the body: form first, then time. Gives the unix seconds, and the MAC in `scratch`. */
export const inspect = (
  { deliveryId, signature }: SignedHeaders,
  nowMillis: number,
  toleranceMillis: number
): number | Refusal => {
  if (!signature) return malformed("header hookrail-signature is missing")
  // The message is t.id.body: were a dot allowed in the id, its end could move into the body under the same MAC.
  if (!deliveryId || /\./.test(deliveryId)) {
    return malformed("header hookrail-delivery-id is missing or has dots")
  }
  const timestamp = parseSignature(signature, scratch)
  if (timestamp < 0) return malformed("header hookrail-signature is not t=<unix seconds>,v1=<64 hex digits>")
  const ageMillis = nowMillis - timestamp * 1000
  // Negated, so that a clock that is not a number refuses.
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
 * Put together from `{}`, and no literal of its fields: it lives as long as a handler runs, and V8 takes the literals of one
 * place for long-lived once some have survived.
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
 * Verifies a signature: form and time first, then the MAC of each key. All keys are tried, whichever matches. A Promise
 * only where there is no `node:crypto`.
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
  // It has been looked at.
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
 * The header value that Hookrail would send. A Promise only where there is no `node:crypto`. Throws a `TypeError` for a
 * body that is neither text nor bytes.
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

/** `Headers` of fetch, `req.headers` of Node, or any record. Names in any case. */
export type HeaderBag =
  | { readonly get: (name: string) => string | null | undefined }
  | { readonly [name: string]: string | ReadonlyArray<string> | undefined }

/** One header. */
export const header = (headers: HeaderBag, name: string): string | undefined => {
  const bag = Object(headers)
  const value: unknown = typeof bag.get === "function"
    ? bag.get(name)
    : bag[name] ?? bag[Object.keys(bag).find((key) => key.toLowerCase() === name && bag[key]) ?? name]
  // Of an array, what fetch makes of a header that comes several times.
  return value ? String(value) : undefined
}

/**
 * HTTP carries bytes, and both Node and fetch read them as Latin-1; Hookrail writes UTF-8 (protocol section 4.1). `escape`
 * gives `%XX` for a byte, and for what is above Latin-1, and so decoded already, something that does not decode.
 */
const fromLatin1 = (text: string): string => {
  if (!/[\x80-\xff]/.test(text)) return text
  try {
    return decodeURIComponent(escape(text))
  } catch {
    return text
  }
}

/** The four headers of a delivery, as far as they are there. */
export const readHeaders = (headers: HeaderBag): SignedHeaders => {
  const topic = header(headers, "hookrail-topic")
  return {
    topic: topic && fromLatin1(topic),
    signature: header(headers, "hookrail-signature"),
    deliveryId: header(headers, "hookrail-delivery-id"),
    eventId: header(headers, "hookrail-event-id")
  }
}
