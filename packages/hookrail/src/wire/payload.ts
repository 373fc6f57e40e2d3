/**
 * Encodes a payload into the bytes of the request body, and refuses what the server or its database would refuse.
 *
 * The hot path is one walk over the value, one `JSON.stringify`, and one UTF-8 encoding. Only a payload that fails is walked
 * again, to find out where and why.
 */
import { losesContent } from "./lossy.js"
import { withTrace } from "./traceparent.js"

/** The largest `payload` text that the server accepts, in bytes (protocol section 1.3). */
export const maxPayloadBytes = 262_144

/** The largest request body that the server reads, in bytes (protocol section 1.3). */
export const maxRequestBytes = maxPayloadBytes + 4_096

/** The server's JSON decoder fails beyond 10,000 levels, PostgreSQL slightly earlier; the envelope adds one level. */
const maxDepth = 9_900

const encoder = new TextEncoder()

/** Node's `Buffer`, if there is one; untyped here. */
const { Buffer } = globalThis as { readonly Buffer?: { readonly from: (text: string, encoding: "utf8") => Uint8Array } }

/**
 * Encodes text in UTF-8. Node's `Buffer` takes small buffers from a pool; `TextEncoder` allocates each outside of the heap, which
 * costs more than the encoding.
 */
const utf8 = (text: string): Uint8Array => Buffer === undefined ? encoder.encode(text) : Buffer.from(text, "utf8")

export interface Encoded {
  readonly _tag: "Encoded"
  /** The whole request body: `{"topic":...,"payload":...}`. */
  readonly body: Uint8Array
  /** The offset of the payload in the body. It ends one byte before the body does. */
  readonly payloadStart: number
  /** The ordering key in the payload. */
  readonly orderingKey: string | undefined
}

/** The bytes of the payload, exactly as the server fingerprints them. */
export const payloadOf = ({ body, payloadStart }: Encoded): Uint8Array => body.subarray(payloadStart, body.length - 1)

export interface Refused {
  readonly _tag: "Refused"
  readonly path: string
  readonly reason: string
}

/** The event is larger than the server accepts. */
export interface TooLarge {
  readonly _tag: "TooLarge"
  readonly bytes: number
  readonly maxBytes: number
}

/**
 * Whether `JSON.stringify` keeps every part of a value unchanged. If not, `copyOf` says what is wrong, or makes a copy in which
 * each `toJSON` is resolved: those may be called only once.
 */
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
  if (typeof (value as WithToJSON).toJSON === "function") return false
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key]
    // An undefined property is left out, as usual in JSON.
    if (member !== undefined && !isJson(member, depth + 1)) return false
  }
  return true
}

const isJsonInstance = (value: object, depth: number): boolean => {
  const { toJSON } = value as WithToJSON
  // The `toJSON` of a date has no side effects, but that of an invalid one returns `null`.
  if (toJSON === Date.prototype.toJSON && value instanceof Date) return !Number.isNaN(value.getTime())
  if (typeof toJSON === "function" || losesContent(value) !== undefined) return false
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined && !isJson(member, depth + 1)) return false
  }
  return true
}

interface WithToJSON {
  readonly toJSON?: unknown
}

/** Why UTF-8 or PostgreSQL cannot store a text; `undefined` if they can. */
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

/** A key as a step of a path: `.name` for an identifier, else `["any text"]`. */
export const step = (key: string): string => {
  if (/^[A-Za-z_$][\w$]{0,63}$/.test(key)) return `.${key}`
  return `[${JSON.stringify(key.length > 64 ? `${key.slice(0, 64)}...` : key)}]`
}

/** What is wrong with a payload, and where. Thrown only within this module. */
class Fault {
  constructor(readonly path: string, readonly reason: string) {}
}

/**
 * Copies a payload into plain JSON values, and calls each `toJSON` once, with its key. Throws a `Fault` for anything unsendable.
 * The slow counterpart of `isJson`.
 */
const copyOf = (value: unknown, key: string, path: string, ancestors: Set<object>): unknown => {
  switch (typeof value) {
    case "boolean":
      return value
    case "string": {
      const reason = unusableText(value)
      if (reason !== undefined) throw new Fault(path, reason)
      return value
    }
    case "number":
      if (!Number.isFinite(value)) throw new Fault(path, `${value} is not a JSON number`)
      return value
    case "bigint":
      throw new Fault(path, "a BigInt is not JSON: send it as a string")
    case "undefined":
      throw new Fault(
        path,
        path === "$" ? "it is undefined: send null if that is meant" : "undefined is not JSON: use null"
      )
    case "function":
      throw new Fault(path, "a function is not JSON")
    case "symbol":
      throw new Fault(path, "a symbol is not JSON")
  }
  if (typeof value !== "object" || value === null) return null
  if (ancestors.has(value)) throw new Fault(path, "it refers back to an object that contains it")
  if (ancestors.size >= maxDepth) throw new Fault("$", `it is nested deeper than ${maxDepth} levels`)
  if (value instanceof Date && Number.isNaN(value.getTime())) throw new Fault(path, "the date is invalid")
  const prototype = Object.getPrototypeOf(value)
  const reason = Array.isArray(value) || prototype === Object.prototype || prototype === null
    ? undefined
    : losesContent(value)
  if (reason !== undefined) throw new Fault(path, reason)
  ancestors.add(value)
  const { toJSON } = value as WithToJSON
  const copy = typeof toJSON === "function"
    ? copyOfResult(toJSON.call(value, key), value, key, path, ancestors)
    : copyOfMembers(value, path, ancestors)
  ancestors.delete(value)
  return copy
}

/** The `toJSON` of a result is not called again. The result may be the object itself. */
const copyOfResult = (result: unknown, from: object, key: string, path: string, ancestors: Set<object>): unknown => {
  if (typeof result !== "object" || result === null) {
    return result === undefined
      ? undefined
      : copyOf(result, key, path, ancestors)
  }
  if (result !== from && ancestors.has(result)) throw new Fault(path, "it refers back to an object that contains it")
  return copyOfMembers(result, path, ancestors)
}

const copyOfMembers = (value: object, path: string, ancestors: Set<object>): unknown => {
  if (Array.isArray(value)) {
    const copies: Array<unknown> = []
    // By index: the other ways to walk an array skip holes.
    for (let index = 0; index < value.length; index++) {
      const copy = copyOf(value[index], String(index), `${path}[${index}]`, ancestors)
      if (copy === undefined) throw new Fault(`${path}[${index}]`, "undefined is not JSON: use null")
      copies.push(copy)
    }
    return copies
  }
  if (value instanceof Number || value instanceof String || value instanceof Boolean) {
    return copyOf(value.valueOf(), "", path, ancestors)
  }
  // Without a prototype, so that a member may have any name.
  const copy = Object.create(null) as Record<string, unknown>
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined || (key === "toJSON" && typeof member === "function")) continue
    const memberPath = `${path}${step(key)}`
    const wrongKey = unusableText(key)
    if (wrongKey !== undefined) throw new Fault(memberPath, `in the member's name, ${wrongKey}`)
    copy[key] = copyOf(member, key, memberPath, ancestors)
  }
  return copy
}

const refused = (path: string, reason: string): Refused => ({ _tag: "Refused", path, reason })

const refusalOf = (thrown: unknown): Refused => {
  if (thrown instanceof Fault) return refused(thrown.path, thrown.reason)
  if (thrown instanceof RangeError) return refused("$", "it is nested too deep, or too large, to be written as JSON")
  // A getter or a `toJSON` of the caller's own threw. Its message may hold anything, so only its kind is told.
  const kind = thrown instanceof Error ? thrown.name : thrown === undefined ? "nothing" : typeof thrown
  return refused("$", `it cannot be written as JSON: reading it threw ${kind}`)
}

/** Whatever throws on this walk, such as a circle that overflows the stack, is found again by `copyOf`, which says more. */
const survives = (payload: unknown): boolean => {
  try {
    return isJson(payload, 1)
  } catch {
    return false
  }
}

/** A payload as JSON. Throws whatever is wrong with it. */
const stringify = (payload: unknown): string => survives(payload) ? stringifyJson(payload) : stringifyCopy(payload)

/** The same for one that survives. */
const stringifyJson = (payload: unknown): string => {
  const text = JSON.stringify(payload)
  // `JSON.stringify` escapes U+0000 and lone surrogates, so a text without `\u` has neither. It also escapes other control
  // characters, which are fine: only a walk can tell.
  if (text.includes("\\u")) copyOf(JSON.parse(text), "", "$", new Set())
  return text
}

const stringifyCopy = (payload: unknown): string => {
  const copy = copyOf(payload, "", "$", new Set())
  if (copy === undefined) throw new Fault("$", "it is undefined: send null if that is meant")
  return JSON.stringify(copy)
}

/** A payload as JSON, or why it is refused. Never throws, whatever the payload does. */
export const jsonText = (payload: unknown): string | Refused => {
  try {
    return stringify(payload)
  } catch (thrown) {
    return refusalOf(thrown)
  }
}

/** A topic as it appears in the body of its events. */
export interface TopicText {
  readonly json: string
  /** The length of `json` in UTF-8. */
  readonly bytes: number
}

export const topicText = (topic: string): TopicText => {
  const json = JSON.stringify(topic)
  return { json, bytes: encoder.encode(json).length }
}

/** Encodes an event. Never throws, whatever the payload does. A trace for which there is no room is left out. */
export const encode = (topic: TopicText, payload: unknown, traceparent?: string): Encoded | Refused | TooLarge => {
  let text: string
  let orderingKey: string | undefined
  try {
    if (survives(payload)) {
      text = stringifyJson(payload)
      // Looking for the member takes a fraction of looking through the text.
      if (typeof payload === "object" && payload !== null && "ordering_key" in payload) {
        orderingKey = orderingKeyIn(text)
      }
    } else {
      text = stringifyCopy(payload)
      orderingKey = orderingKeyIn(text)
    }
  } catch (thrown) {
    return refusalOf(thrown)
  }
  if (text.length > maxPayloadBytes) return tooLarge(encoder.encode(text).length)
  if (traceparent !== undefined) {
    const traced = encoded(topic, withTrace(text, traceparent), orderingKey)
    if (traced._tag === "Encoded") return traced
  }
  return encoded(topic, text, orderingKey)
}

const encoded = (topic: TopicText, text: string, orderingKey: string | undefined): Encoded | TooLarge => {
  const body = utf8(`{"topic":${topic.json},"payload":${text}}`)
  // The payload follows `{"topic":`, the topic and `,"payload":`.
  const start = 20 + topic.bytes
  const bytes = body.length - 1 - start
  if (bytes > maxPayloadBytes) return tooLarge(bytes)
  if (body.length > maxRequestBytes) return { _tag: "TooLarge", bytes: body.length, maxBytes: maxRequestBytes }
  return { _tag: "Encoded", body, payloadStart: start, orderingKey }
}

/** The ordering key that the server finds in a payload: a non-empty text at its top level (protocol section 1.7). */
const orderingKeyIn = (text: string): string | undefined => {
  // Without the quote before it: JSON is full of quotes, and a search that begins with one stops at each of them.
  if (!text.includes("ordering_key\"")) return undefined
  const payload: unknown = JSON.parse(text)
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return undefined
  const key = (payload as { readonly ordering_key?: unknown }).ordering_key
  return typeof key === "string" && key !== "" ? key : undefined
}

const tooLarge = (bytes: number): TooLarge => ({ _tag: "TooLarge", bytes, maxBytes: maxPayloadBytes })
