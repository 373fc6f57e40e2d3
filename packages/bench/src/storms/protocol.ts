/** What the section, the server and the client of a storm tell each other. */

/** How the server answers. The time begins with its first request. */
export type Weather =
  /** A share of the answers is 503, at random. */
  | { readonly kind: "scattered"; readonly share: number }
  /** So many events are answered 503 for ever. */
  | { readonly kind: "refused"; readonly events: number }
  /** So many requests per second: 429 beyond it. */
  | { readonly kind: "window"; readonly limit: number }
  | { readonly kind: "bucket"; readonly limit: number }
  /** 503 to the first request after each of these milliseconds. */
  | { readonly kind: "strays"; readonly at: ReadonlyArray<number> }
  /** 503 to all from one time to another. */
  | { readonly kind: "outage"; readonly from: number; readonly until: number }

export interface Conditions {
  readonly weather: Weather
  /** How long an answer takes. */
  readonly latency: number
}

export interface ServerReady {
  readonly url: string
}

export interface ServerCount {
  readonly requests: number
}

export type Gate = "its own" | "layerNone"

export interface StormOrder {
  readonly url: string
  readonly gate: Gate
  readonly senders: number
  /** Each one after the other. */
  readonly eventsPerSender: number
  /** No sender begins another event after so many milliseconds. */
  readonly until?: number | undefined
  readonly retry?: { readonly maxRetries: number; readonly maxElapsed: string } | undefined
  /** Read a status after so many milliseconds. */
  readonly readAfter?: number | undefined
}

export interface StormOutcome {
  readonly accepted: number
  readonly lost: number
  /** Until the last call had ended. */
  readonly millis: number
  /** Until the last event was accepted. */
  readonly lastAccepted: number
  /** Accepted events by tenths of a second. */
  readonly tenths: ReadonlyArray<number>
  /** How long the read took; `null` if it failed, or there was none. */
  readonly readMillis: number | null
}
