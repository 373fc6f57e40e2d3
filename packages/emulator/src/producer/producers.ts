import { TokenBucket } from "../base/limiter.js"
import { topicMatches } from "../base/matching.js"
import { invalidCredentials, missingCredentials } from "../http/problem.js"
import type { Answer } from "../http/wire.js"
import type { DatabaseState, RateLimit } from "../model.js"
import type { ApiKeyOptions } from "../options/options.js"

/** A producer key as stored. */
export interface Producer {
  readonly id: string
  readonly key: string
  scopes: ReadonlyArray<string>
  revoked: boolean
  readonly bucket: TokenBucket | undefined
}

/** The credential of an `Authorization` header that begins with exactly `Bearer ` (protocol section 3). */
export const bearerOf = (authorization: string | undefined): string | undefined =>
  authorization?.startsWith("Bearer ") === true ? authorization.slice("Bearer ".length) : undefined

/** Whether a producer key may publish to a topic (protocol section 1.5). */
export const mayPublish = (producer: Producer, topic: string): boolean =>
  producer.scopes.some((scope) => topicMatches(scope, topic))

/** The producer keys. */
export class Producers {
  private readonly byKey = new Map<string, Producer>()

  /** Adds a key, or replaces the scopes of an existing one. */
  add(options: ApiKeyOptions, id: string, limit: RateLimit | false, now: number): Producer {
    const scopes = [...new Set(options.scopes ?? ["*"])]
    const known = this.byKey.get(options.key)
    if (known !== undefined) {
      known.scopes = scopes
      known.revoked = false
      return known
    }
    const bucket = limit === false ? undefined : new TokenBucket(limit, now)
    const producer: Producer = { id, key: options.key, scopes, revoked: false, bucket }
    this.byKey.set(options.key, producer)
    return producer
  }

  /** The producer of a key. */
  get(key: string): Producer | undefined {
    return this.byKey.get(key)
  }

  /** The producer of a request, or a 401. While the database is down, every key looks unknown (protocol section 3). */
  authenticate(authorization: string | undefined, database: DatabaseState): Producer | Answer {
    const key = bearerOf(authorization)
    if (key === undefined) return missingCredentials
    const producer = database === "down" ? undefined : this.byKey.get(key)
    return producer === undefined || producer.revoked ? invalidCredentials : producer
  }
}
