/**
 * From a payload to the bytes of the request body, refusing on the way what the server or its database would refuse.
 *
 * The hot path is one walk over the value, one `JSON.stringify`, and one UTF-8 encoding. Only a payload that fails is
 * walked again, to say where and why.
 */

/** The largest `payload` text that the server takes, in bytes (protocol section 1.3). */
export const maxPayloadBytes = 262_144

/** The largest request body that the server reads, in bytes (protocol section 1.3). */
export const maxRequestBytes = maxPayloadBytes + 4_096

/** The server's JSON decoder gives up beyond 10,000 levels, PostgreSQL a little earlier; the envelope is one more. */
const maxDepth = 9_900

const encoder = new TextEncoder()

/** Node's own, where it is: it has no types here. */
const { Buffer } = globalThis as { readonly Buffer?: { readonly from: (text: string, encoding: "utf8") => Uint8Array } }

/**
 * Text as UTF-8. Node's `Buffer` takes small ones from a pool; `TextEncoder` allocates memory outside of the heap for
 * each, which costs more than to encode it.
 */
const utf8 = (text: string): Uint8Array => Buffer === undefined ? encoder.encode(text) : Buffer.from(text, "utf8")

export interface Encoded {
  readonly _tag: "Encoded"
  /** The whole request body: `{"topic":...,"payload":...}`. */
  readonly body: Uint8Array
  /** Where the payload begins in it. It ends one byte before the body does. */
  readonly payloadStart: number
}

/** The payload's own bytes, exactly as the server fingerprints them. */
export const payloadOf = ({ body, payloadStart }: Encoded): Uint8Array => body.subarray(payloadStart, body.length - 1)

export interface Refused {
  readonly _tag: "Refused"
  readonly path: string
  readonly reason: string
}

/** Whether every part of a value survives `JSON.stringify` unchanged. The first `false` sends us to `diagnose`. */
const isJson = (value: unknown, depth: number): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return value - value === 0
    case "object":
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth > maxDepth) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (!isJson(value[i], depth + 1)) return false
    }
    return true
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return isJsonInstance(value, depth)
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return isJsonInstance(value, depth)
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key]
    // An optional property that is not set: left out, as everywhere in JSON.
    if (member !== undefined && !isJson(member, depth + 1)) return false
  }
  return true
}

const isJsonInstance = (value: object, depth: number): boolean => {
  const toJSON = (value as { toJSON?: unknown }).toJSON
  // A date that is not valid turns itself into `null`; any other `toJSON` is the author's own word.
  if (typeof toJSON === "function") {
    return !(value instanceof Date && Number.isNaN(value.getTime())) &&
      isJson((value as { toJSON: (key: string) => unknown }).toJSON(""), depth + 1)
  }
  if (losesContent(value) !== undefined) return false
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined && !isJson(member, depth + 1)) return false
  }
  return true
}

/** Built-in objects that `JSON.stringify` writes as `{}` or as an object of numbers, losing what they hold. */
const losesContent = (value: object): string | undefined => {
  if (value instanceof Map || value instanceof Set || value instanceof WeakMap || value instanceof WeakSet) {
    return `a ${value.constructor.name} would be sent as {}: convert it to an object or an array`
  }
  if (value instanceof Promise) return "a Promise would be sent as {}: await it first"
  if (value instanceof RegExp || value instanceof Error) {
    return `${value instanceof Error ? "an Error" : "a RegExp"} would be sent as {}: send its text`
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "binary data is not JSON: send it as base64"
  if (value instanceof Number && !Number.isFinite(value.valueOf())) return `${value} is not a JSON number`
  return undefined
}

/** Why a text cannot be kept by UTF-8 and PostgreSQL; `undefined` if it can. */
export const unusableText = (text: string): string | undefined => {
  if (text.includes("\u0000")) return "the character U+0000 cannot be stored: the server would answer 503 for ever"
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const next = text.charCodeAt(i + 1)
    if (unit < 0xdc00 && next >= 0xdc00 && next <= 0xdfff) i++
    else return "half a surrogate pair cannot be stored (was a text cut in two?): the server would answer 503 for ever"
  }
  return undefined
}

/** A string as it may be shown in a path: `.name` if it reads as a name, else `["any text"]`. */
const step = (key: string): string => {
  if (/^[A-Za-z_$][\w$]{0,63}$/.test(key)) return `.${key}`
  return `[${JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}...` : key)}]`
}

/** Finds what is wrong with a payload that cannot be sent, and where. The slow twin of `isJson`. */
const diagnose = (
  value: unknown,
  path: string,
  ancestors: Set<object>
): { readonly path: string; readonly reason: string } | undefined => {
  switch (typeof value) {
    case "boolean":
      return undefined
    case "string": {
      const reason = unusableText(value)
      return reason === undefined ? undefined : { path, reason }
    }
    case "number":
      return Number.isFinite(value) ? undefined : { path, reason: `${value} is not a JSON number` }
    case "bigint":
      return { path, reason: "a BigInt is not JSON: send it as a string" }
    case "undefined":
      return {
        path,
        reason: path === "$" ? "it is undefined: send null if that is meant" : "undefined is not JSON: use null"
      }
    case "function":
      return { path, reason: "a function is not JSON" }
    case "symbol":
      return { path, reason: "a symbol is not JSON" }
  }
  if (value === null || typeof value !== "object") return undefined
  if (ancestors.has(value)) return { path, reason: "it refers back to an object that contains it" }
  if (ancestors.size >= maxDepth) {
    return { path: "$", reason: `it is nested deeper than ${maxDepth} levels` }
  }
  if (value instanceof Date && Number.isNaN(value.getTime())) return { path, reason: "the date is invalid" }
  ancestors.add(value)
  const found = diagnoseMembers(value, path, ancestors)
  ancestors.delete(value)
  return found
}

const diagnoseMembers = (value: object, path: string, ancestors: Set<object>) => {
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
    return diagnose((value as { toJSON: (key: string) => unknown }).toJSON(""), path, ancestors)
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = diagnose(value[i], `${path}[${i}]`, ancestors)
      if (found !== undefined) return found
    }
    return undefined
  }
  const reason = losesContent(value)
  if (reason !== undefined) return { path, reason }
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue
    const wrongKey = unusableText(key)
    if (wrongKey !== undefined) return { path: `${path}${step(key)}`, reason: `in the member's name, ${wrongKey}` }
    const found = diagnose(member, `${path}${step(key)}`, ancestors)
    if (found !== undefined) return found
  }
  return undefined
}

const refused = (path: string, reason: string): Refused => ({ _tag: "Refused", path, reason })

const explain = (payload: unknown, thrown?: unknown): Refused => {
  try {
    const found = diagnose(payload, "$", new Set())
    if (found !== undefined) return refused(found.path, found.reason)
  } catch (error) {
    thrown = error
  }
  if (thrown instanceof RangeError) return refused("$", "it is nested too deep, or too large, to be written as JSON")
  // A getter or a `toJSON` of the caller's own threw. Its message may hold anything, so only its kind is told.
  const kind = thrown instanceof Error ? thrown.name : typeof thrown
  return refused("$", `it cannot be written as JSON: reading it threw ${thrown === undefined ? "nothing" : kind}`)
}

/** A topic as it stands in every body of its events. */
export interface TopicText {
  readonly json: string
  /** The length of `json` in UTF-8. */
  readonly bytes: number
}

export const topicText = (topic: string): TopicText => {
  const json = JSON.stringify(topic)
  return { json, bytes: encoder.encode(json).length }
}

/** Encodes an event once. Never throws, whatever the payload does. */
export const encode = (topic: TopicText, payload: unknown): Encoded | Refused => {
  let text: string | undefined
  try {
    if (!isJson(payload, 1)) return explain(payload)
    text = JSON.stringify(payload)
  } catch (error) {
    return explain(payload, error)
  }
  if (text === undefined) return explain(payload)
  // `JSON.stringify` escapes U+0000 and lone surrogates, so a text without `\u` has neither.
  if (text.includes("\\u")) {
    const refusal = explainEscapes(payload)
    if (refusal !== undefined) return refusal
  }
  if (text.length > maxPayloadBytes) return tooLarge(encoder.encode(text).length)
  const body = utf8(`{"topic":${topic.json},"payload":${text}}`)
  // What is not payload is `{"topic":`, the topic, `,"payload":` and `}`.
  const start = 20 + topic.bytes
  const bytes = body.length - 1 - start
  if (bytes > maxPayloadBytes) return tooLarge(bytes)
  if (body.length > maxRequestBytes) {
    return refused("$", `with its topic the event has ${body.length} bytes, at most ${maxRequestBytes} are taken`)
  }
  return { _tag: "Encoded", body, payloadStart: start }
}

/** Other control characters are escaped as `\u00xx` too, and are fine: only a walk tells them apart. */
const explainEscapes = (payload: unknown): Refused | undefined => {
  try {
    const found = diagnose(payload, "$", new Set())
    return found === undefined ? undefined : refused(found.path, found.reason)
  } catch (error) {
    return explain(payload, error)
  }
}

const tooLarge = (bytes: number): Refused =>
  refused("$", `it has ${bytes} bytes as JSON, at most ${maxPayloadBytes} are taken: send a reference to the data`)
