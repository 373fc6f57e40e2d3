/**
 * Where the idempotency key of an event comes from if the caller passes none.
 *
 * The server stores one event per key for 24 hours (protocol section 1.6). The client makes one key per send and reuses it for
 * all retries. The kind of key decides what happens when the *program* sends again:
 *
 * - `layerRandom` (the default): each send is a new event;
 * - `layerContent`: sends of the same topic, payload and ordering key are one event, even after a crash;
 * - the `idempotencyKey` option of a send: your own rule, ideally the id of the business event (`order-4711-created`).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { toHex } from "./wire/bytes.js"
import { uuid } from "./wire/bytes.js"

/**
 * The event that needs a key.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyRequest {
  readonly topic: string
  /** The JSON of the payload as it will be sent. */
  readonly payload: Uint8Array
  readonly orderingKey: string | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Makes a key of at most 2,048 visible ASCII characters. */
  readonly keyFor: (request: KeyRequest) => Effect.Effect<string>
}

/**
 * Makes your own source of keys.
 *
 * @example
 * import { IdempotencyKeys } from "hookrail"
 * import { Effect, Layer } from "effect"
 *
 * let n = 0
 * const numbered = Layer.succeed(
 *   IdempotencyKeys.IdempotencyKeys,
 *   IdempotencyKeys.make(({ topic }) => Effect.sync(() => `${topic}-${++n}`))
 * )
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (keyFor: Service["keyFor"]): Service => ({ keyFor })

const nextUuid = Effect.sync(uuid)

/**
 * A random UUID (version 4) per send. It comes from the platform's cryptographic source, not from Effect's `Random`: two
 * processes with the same seed must never make the same key. Tests that need fixed keys provide their own source.
 *
 * @since 0.1.0
 * @category constructors
 */
export const random: Service = make(() => nextUuid)

const encoder = new TextEncoder()

/**
 * The SHA-256 of topic, payload bytes and ordering key: the parts that the server fingerprints.
 *
 * @since 0.1.0
 * @category constructors
 */
export const content: Service = make((request) => {
  const head = encoder.encode(`${request.topic}\u0000`)
  const tail = encoder.encode(`\u0000${request.orderingKey ?? ""}`)
  const bytes = new Uint8Array(head.length + request.payload.length + tail.length)
  bytes.set(head, 0)
  bytes.set(request.payload, head.length)
  bytes.set(tail, head.length + request.payload.length)
  return Effect.map(
    Effect.promise(() => globalThis.crypto.subtle.digest("SHA-256", bytes)),
    (digest) => `sha256-${toHex(new Uint8Array(digest))}`
  )
})

/**
 * The source of keys. By default keys are random.
 *
 * @since 0.1.0
 * @category tags
 */
export class IdempotencyKeys extends Context.Reference<IdempotencyKeys>()("hookrail/IdempotencyKeys", {
  defaultValue: () => random
}) {}

/**
 * A random key per send: the default.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerRandom: Layer.Layer<never> = Layer.succeed(IdempotencyKeys, random)

/**
 * Keys derived from the content: the same event sent twice within 24 hours is stored once, even if another process sends it. Do
 * not use it for events that may legitimately repeat with the same payload.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerContent: Layer.Layer<never> = Layer.succeed(IdempotencyKeys, content)
