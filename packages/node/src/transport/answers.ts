/**
 * Hands answers over together: when the sockets that have something to read in a turn of the event loop are all read.
 *
 * Under load there are dozens of them. To read one, go on with what waited for it, and write the next request, before the
 * next socket has its turn, means to run through all of the code for each: it falls out of the processor's caches every
 * time. To read all, and then go on with all, costs a quarter less, and up to half where more than a few steps follow.
 */

export interface Answer {
  /** The one that came after it. Only `Answers` touches it. */
  next: Answer | undefined
  /** Gives it to whoever waits for it. */
  readonly handOver: () => void
}

/** The real one, whatever tests put in its place later. */
const atEndOfTurn = setImmediate

export class Answers {
  // A list, not an array: V8 would take its arrays for long-lived, and then each keeps what was in it.
  private first: Answer | undefined
  private last: Answer | undefined

  add(answer: Answer): void {
    if (this.last === undefined) {
      this.first = answer
      atEndOfTurn(this.handOver)
    } else {
      this.last.next = answer
    }
    this.last = answer
  }

  private readonly handOver = (): void => {
    let answer = this.first
    this.first = undefined
    this.last = undefined
    try {
      while (answer !== undefined) {
        const current = answer
        answer = current.next
        current.next = undefined
        current.handOver()
      }
    } finally {
      // One that throws does not keep the others from theirs.
      while (answer !== undefined) {
        const rest = answer
        answer = rest.next
        rest.next = undefined
        this.add(rest)
      }
    }
  }
}
