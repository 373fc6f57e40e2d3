/** The states that a list of deliveries can be asked for (protocol section 2). */
export const deliveryStates = [
  "pending",
  "in_flight",
  "retry_scheduled",
  "succeeded",
  "dead_lettered",
  "cancelled",
  "skipped"
] as const

const terminal: ReadonlySet<string> = new Set(["succeeded", "dead_lettered", "cancelled", "skipped"])

/** See `Delivery.isTerminal`. In this module, so that the client needs no Schema. */
export const isTerminal = (state: string): boolean => terminal.has(state)
