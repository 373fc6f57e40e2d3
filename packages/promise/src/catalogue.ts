/** The option `events`, of clients and webhook handlers. What it does comes with it, from `@hookrail/promise/events`. */
import type { Catalogue } from "hookrail/catalogue/model"

/**
 * What is sent for a payload, or why it is not.
 *
 * @internal
 */
export interface Found {
  readonly value?: unknown
  readonly error?: Error
}

/**
 * What a catalogue brings along.
 *
 * @internal
 */
export type Checks = Catalogue["~hookrail/EventCatalogue"] & {
  /** Checks an event for a client. Never throws or rejects. Untyped callers may pass anything. */
  readonly find: (event: Input | null | undefined) => Found | Promise<Found>
}

/** @internal */
export interface Input {
  readonly topic?: unknown
  readonly payload?: unknown
  readonly idempotencyKey?: string | undefined
}

/**
 * What the option `events` brings along, if it is a catalogue.
 *
 * @internal
 */
export const checksIn = (events: unknown): Checks | undefined =>
  (events as Partial<Catalogue> | null | undefined)?.["~hookrail/EventCatalogue"] as Checks | undefined

/** @internal */
export const noCatalogue = "must be from defineEvents"
