/** How a delivery is named in the database. */
import { checkNames, refuse } from "../check.js"
import { OutboxConfigError } from "../errors.js"
import { type Names, namesOf, type NamesOptions, namesOptions } from "../sql/names.js"

/**
 * A delivery: a webhook has these members. All three together name it, because the signature covers only the delivery id.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryName {
  readonly deliveryId: string
  readonly eventId: string
  readonly topic: string
}

/**
 * Where deliveries are remembered.
 *
 * @since 0.1.0
 * @category models
 */
export interface InboxOptions extends NamesOptions {
  /**
   * Who handles: each consumer handles a delivery once. Give each endpoint of yours its own name if several share a database.
   * Default: `default`.
   */
  readonly consumer?: string | undefined
}

/** The same text that a `DeliveryLog` gets. What is no delivery has no name: all such webhooks would be duplicates of the first. */
export const nameOf = (delivery: DeliveryName | string): string => {
  if (isText(delivery)) return delivery
  const { deliveryId, eventId, topic } = Object(delivery) as Readonly<Record<string, unknown>>
  if (isText(deliveryId) && isText(eventId) && isText(topic)) return `${deliveryId}.${eventId}.${topic}`
  return refuse("delivery", "must be the webhook that the handler gets, with its deliveryId, eventId and topic")
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

export interface Place {
  readonly names: Names
  readonly consumer: string
}

export const placeOf = (options: InboxOptions = {}): Place => {
  checkNames(options, ["consumer", ...namesOptions])
  const { consumer = "default" } = options
  if (typeof consumer !== "string" || !/^[\x21-\x7e]{1,200}$/.test(consumer)) {
    throw new OutboxConfigError({
      option: "consumer",
      reason: "must be a name of at most 200 visible ASCII characters, without blanks"
    })
  }
  return { names: namesOf(options), consumer }
}
