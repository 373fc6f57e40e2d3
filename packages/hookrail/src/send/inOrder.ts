/**
 * Things under way at the same time whose results are taken in the order in which the things came. Those that share a key
 * begin one after the other; others are not held up.
 */

/** How many may be under way, by the option `concurrency`. */
export const limitOf = (concurrency: number = 16): number => Math.max(1, Math.floor(concurrency) || 1)

/** One of them. */
export class Job<Input, Result extends object> {
  next: Job<Input, Result> | undefined
  /** What begins when this is done, since it has the same key. */
  successor: Job<Input, Result> | undefined
  /** Set when it is done. */
  result: Result | undefined

  constructor(readonly input: Input, readonly key: string | undefined) {}
}

export class InOrder<Input, Result extends object> {
  /** How many have come and were not taken. */
  size = 0
  private first: Job<Input, Result> | undefined
  private last: Job<Input, Result> | undefined

  /** Gives the job if it is to begin now; otherwise `done` of another one gives it later. */
  add(input: Input, key: string | undefined): Job<Input, Result> | undefined {
    const job = new Job<Input, Result>(input, key)
    const predecessor = key === undefined ? undefined : this.lastOf(key)
    if (this.last === undefined) this.first = job
    else this.last.next = job
    this.last = job
    this.size++
    if (predecessor === undefined) return job
    predecessor.successor = job
    return undefined
  }

  /**
   * Takes note of a result, and gives the job that waited for it, to begin now. With a `failure` nothing begins any more: it is
   * the result of all that waited.
   */
  done(job: Job<Input, Result>, result: Result, failure: Result | undefined): Job<Input, Result> | undefined {
    let next = this.settle(job, result)
    while (next !== undefined && failure !== undefined) next = this.settle(next, failure)
    return next
  }

  /** The result whose turn it is to be taken, once it is there. */
  get ready(): Result | undefined {
    return this.first?.result
  }

  /** Removes the first. It lets go of its neighbour: see `queue.ts` on chains of what is over. */
  take(): void {
    const { first } = this
    if (first === undefined) return
    this.first = first.next
    first.next = undefined
    if (this.first === undefined) this.last = undefined
    this.size--
  }

  private settle(job: Job<Input, Result>, result: Result): Job<Input, Result> | undefined {
    const { successor } = job
    job.result = result
    job.successor = undefined
    return successor
  }

  /** There are few of them: to look at each is cheaper than a table of keys. */
  private lastOf(key: string): Job<Input, Result> | undefined {
    let found: Job<Input, Result> | undefined
    for (let job = this.first; job !== undefined; job = job.next) {
      if (job.key === key && job.result === undefined) found = job
    }
    return found
  }
}
