/** What a claim took, as it is sent. */
import type { RelayClient } from "./model.js"
import type { Taken } from "./store.js"

/** The lease of all that one claim took. */
export class Lease {
  private readonly controller = new AbortController()
  private timer: ReturnType<typeof setTimeout> | undefined
  private lanes = 0

  /** The options of all its sends. With one signal: a client listens once to each, however many of its calls share it. */
  readonly sending: Parameters<RelayClient["sendEncoded"]>[1]

  constructor(
    readonly owner: string,
    /** Just before the claim, by the monotonic clock. */
    readonly takenAt: number,
    readonly deadline: number,
    timeout: number
  ) {
    this.sending = { retry: false, timeout, signal: this.controller.signal }
  }

  /** Begins to count its lanes; `abort` happens by itself when the lease ends before they do. */
  begin(lanes: number, now: number): void {
    this.lanes = lanes
    this.timer = setTimeout(() => this.abort(), Math.max(0, this.deadline - now))
  }

  laneEnded(): void {
    if (--this.lanes === 0) clearTimeout(this.timer)
  }

  abort(): void {
    this.controller.abort()
  }
}

/** Events of one ordering key, or one event without a key. */
export class Lane {
  /** The next one to send. */
  next = 0

  constructor(readonly lease: Lease, readonly events: ReadonlyArray<Taken>) {}

  rest(): ReadonlyArray<number> {
    return this.events.slice(this.next).map(({ seq }) => seq)
  }
}

/** By ordering key, in order; events without one are alone. */
export const lanesOf = (lease: Lease, taken: ReadonlyArray<Taken>): ReadonlyArray<Lane> => {
  const lanes: Array<Lane> = []
  const keys = new Map<string, Array<Taken>>()
  for (const event of taken) {
    const lane = event.orderingKey === undefined ? undefined : keys.get(event.orderingKey)
    if (lane !== undefined) {
      lane.push(event)
      continue
    }
    const made = [event]
    lanes.push(new Lane(lease, made))
    if (event.orderingKey !== undefined) keys.set(event.orderingKey, made)
  }
  return lanes
}
