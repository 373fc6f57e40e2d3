/** Counts the calls that send. Without Effect: a client that nobody measures has none. */
export interface CallMetrics {
  /** An attempt has ended: `accepted`, or what is known about the event. */
  readonly attempted: (outcome: string) => void
  /** A call has ended: `accepted`, `interrupted` or the tag of its error; what is known about the event; after how long. */
  readonly ended: (result: string, outcome: string, millis: number) => void
}
