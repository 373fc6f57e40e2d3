/** The faults of the proxy, drawn from a seed for each connection and each request. */
import { drawsAt, pick } from "./random.js"

/** The fault of one request. */
export type Fault =
  | { readonly kind: PlainKind }
  /** Forwarded after a delay: the client still waits after `delay`, but has given up after `late`. */
  | { readonly kind: "delay" | "late"; readonly ms: number }
  /** The response breaks off after this fraction of its bytes, including the head. */
  | { readonly kind: "reset-within" | "truncate"; readonly part: number }
  /** The proxy responds itself. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfter: number | undefined }

type PlainKind =
  | "none"
  /** Forwarded twice concurrently. */
  | "duplicate"
  /** The connection is reset before the request is forwarded, or after the server has responded. */
  | "reset-before"
  | "reset-after"
  /** No response, ever. */
  | "stall-before"
  | "stall-after"

/** The fault of a new connection: it is reset at once, or starts an outage. */
export type ConnectionFault = "none" | "reset-connection" | "outage"

export interface Faults {
  readonly ofConnection: (connection: number) => ConnectionFault
  readonly ofRequest: (connection: number, request: number) => Fault
}

/** The length of an outage in milliseconds, in which nothing listens. */
export const outageMs = 150

const connectionFaults: ReadonlyArray<readonly [number, ConnectionFault]> = [
  [95, "none"],
  [4, "reset-connection"],
  [1, "outage"]
]

/** `unavailable` is a 503 without a reason, of the kind that any proxy gives now and then. */
const requestFaults: ReadonlyArray<readonly [number, Fault["kind"] | "unavailable"]> = [
  [50, "none"],
  [1, "unavailable"],
  [12, "delay"],
  [6, "duplicate"],
  [5, "reset-before"],
  [5, "reset-after"],
  [4, "reset-within"],
  [4, "truncate"],
  [2, "stall-before"],
  [2, "stall-after"],
  [2, "late"],
  [7, "status"]
]

/** Answers for a reason. 429 and 503 are rare: with many of them a client slows down, and little else would happen. */
const answers: ReadonlyArray<readonly [number, Extract<Fault, { kind: "status" }>]> = [
  [18, { kind: "status", status: 500, retryAfter: undefined }],
  [18, { kind: "status", status: 502, retryAfter: undefined }],
  [18, { kind: "status", status: 504, retryAfter: undefined }],
  [4, { kind: "status", status: 429, retryAfter: undefined }],
  [2, { kind: "status", status: 429, retryAfter: 1 }],
  [2, { kind: "status", status: 503, retryAfter: undefined }],
  [1, { kind: "status", status: 503, retryAfter: 1 }]
]

/** Random faults, for clients with a timeout of `timeoutMs`. */
export const seededFaults = (seed: number, timeoutMs: number): Faults => ({
  ofConnection: (connection) => pick(drawsAt(seed, connection), connectionFaults),
  ofRequest: (connection, request) => {
    const draw = drawsAt(seed, connection, request)
    const kind = pick(draw, requestFaults)
    switch (kind) {
      case "delay":
        return { kind, ms: draw() * timeoutMs / 2 }
      case "late":
        return { kind, ms: timeoutMs * (1 + draw() / 2) }
      case "reset-within":
      case "truncate":
        return { kind, part: draw() }
      case "unavailable":
        return { kind: "status", status: 503, retryAfter: undefined }
      case "status":
        return pick(draw, answers)
      default:
        return { kind }
    }
  }
})
