const terminal: ReadonlySet<string> = new Set(["succeeded", "dead_lettered", "cancelled", "skipped"])

/** See `Delivery.isTerminal`. In this module, so that the client needs no Schema. */
export const isTerminal = (state: string): boolean => terminal.has(state)
