/** How a delivery is named in the database. */
import { OutboxConfigError } from "../errors.js"
import { type Names, namesOf, type NamesOptions } from "../sql/names.js"

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

/** The same text that a `DeliveryLog` gets. */
export const nameOf = (delivery: DeliveryName | string): string =>
  typeof delivery === "string" ? delivery : `${delivery.deliveryId}.${delivery.eventId}.${delivery.topic}`

export interface Place {
  readonly names: Names
  readonly consumer: string
}

export const placeOf = (options: InboxOptions = {}): Place => {
  const { consumer = "default" } = options
  if (typeof consumer !== "string" || !/^[\x21-\x7e]{1,200}$/.test(consumer)) {
    throw new OutboxConfigError({
      option: "consumer",
      reason: "must be a name of at most 200 visible ASCII characters, without blanks"
    })
  }
  return { names: namesOf(options), consumer }
}
