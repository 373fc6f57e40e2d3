import type { Clock } from "../base/clock.js"
import { credential, ulid } from "../base/ids.js"
import type { Random } from "../base/random.js"
import type { SubscriptionSettings } from "../model.js"
import type { Endpoint, Store, Subscription } from "./store.js"

/** Creates and changes endpoints and subscriptions, for code and admin API alike. */
export class Directory {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly cancel: (target: Endpoint | Subscription) => void
  ) {}

  /** Adds an endpoint; generates a secret if none is given. */
  addEndpoint(url: string, description = "", secret = credential("whsec_", this.random)): Endpoint {
    const now = this.clock.now()
    const id = ulid(now, this.random)
    const endpoint: Endpoint = { id, url, description, secret, createdAt: now, deletedAt: undefined }
    this.store.endpoints.set(id, endpoint)
    this.store.changed()
    return endpoint
  }

  /** Gives an endpoint a new secret, used by every later attempt (protocol section 4.6). */
  rotateSecret(endpoint: Endpoint): string {
    endpoint.secret = credential("whsec_", this.random)
    return endpoint.secret
  }

  /** Adds a subscription. */
  addSubscription(topic: string, endpoint: Endpoint, settings: SubscriptionSettings): Subscription {
    const subscription: Subscription = {
      id: ulid(this.clock.now(), this.random),
      topic,
      endpoint,
      ordered: settings.ordered ?? false,
      maxAttempts: settings.maxAttempts ?? 8,
      active: true,
      rateLimitRps: settings.rateLimitRps,
      backoff: settings.backoff,
      deletedAt: undefined
    }
    this.store.subscriptions.set(subscription.id, subscription)
    this.store.changed()
    return subscription
  }

  /** Marks an endpoint or subscription as deleted and cancels its scheduled deliveries (protocol section 4.6). */
  remove(target: Endpoint | Subscription): void {
    target.deletedAt = this.clock.now()
    this.cancel(target)
    this.store.changed()
  }
}
