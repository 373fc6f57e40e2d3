/** How events are stored, and by which catalogue. */
import type { NamesOptions } from "../sql/names.js"
import type { OutboxEvent } from "./freeze.js"

/**
 * How events are stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface EnqueueOptions extends NamesOptions {
  /** The name of the server that gets the event: a relay sends the events of its own destination. Default: `default`. */
  readonly destination?: string | undefined
  /**
   * Postgres: events of one ordering key are in the order of their commits (`"commit"`, the default), because the statement locks
   * the key until the transaction ends. `"statement"`: no lock; two transactions that enqueue the same key at the same time may
   * be sent in either order. In SQLite, transactions that write run one after the other anyway.
   */
  readonly order?: "commit" | "statement" | undefined
  /**
   * Postgres: whether to notify relays that listen, at the commit. It costs throughput, since such commits wait for each other.
   * Default false: relays look often enough.
   */
  readonly notify?: boolean | undefined
  /**
   * Whether the `traceparent` of an event also reaches the handler: in its payload, as the member `hookrail_traceparent`, which
   * `Webhooks` and `createWebhookHandler` take out. Not for events with an idempotency key of their own. Default false.
   */
  readonly propagateTrace?: boolean | undefined
}

/** A payload that fits, as it goes on; or where and why it does not. */
export type Verdict = { readonly value: unknown } | { readonly path: string; readonly reason: string }

/**
 * A catalogue of events: what `defineEvents` of `@hookrail/promise/events` returns, as far as the outbox needs it. `Sent`: the
 * payloads, by topic.
 *
 * @since 0.1.0
 * @category catalogues
 */
export interface Catalogue<out Sent extends object = object> {
  readonly "~hookrail/EventCatalogue": {
    /** What is stored for a payload, as a JSON value. Never throws or rejects. `undefined`: there is no such topic. */
    readonly encode: (topic: string, payload: unknown) => Verdict | Promise<Verdict> | undefined
    /** What to say of a topic that is not there. */
    readonly unknown: (topic: string) => string
    /** Never set: it only carries the types. */
    readonly types?: { readonly sent: Sent } | undefined
  }
}

/**
 * An event of a catalogue, for functions of your own.
 *
 * @example
 * import { enqueue, fromPg, type OutboxEventOf } from "@hookrail/outbox"
 * import { defineEvents } from "@hookrail/promise/events"
 * import type { PoolClient } from "pg"
 * import { z } from "zod"
 *
 * const events = defineEvents({ "orders.created": z.object({ order_id: z.string() }) })
 *
 * export const store = (client: PoolClient, event: OutboxEventOf<typeof events>) =>
 *   enqueue(fromPg(client), event, { events })
 *
 * @since 0.1.0
 * @category catalogues
 */
export type OutboxEventOf<Events> = Events extends Catalogue<infer Sent> ? OutboxEvent<Sent> : never

/**
 * Options of whatever stores events, with their catalogue.
 *
 * @since 0.1.0
 * @category models
 */
export interface TypedEnqueueOptions<Sent extends object> extends EnqueueOptions {
  /**
   * The catalogue of the events, from `defineEvents` of `@hookrail/promise/events`. The compiler then knows the payloads, and each
   * is checked and encoded by the schema of its topic before its bytes are fixed. An `EncodedEvent` is not checked.
   */
  readonly events?: Catalogue<Sent> | undefined
}
