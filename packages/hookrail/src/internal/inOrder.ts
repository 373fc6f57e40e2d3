/**
 * Things under way at the same time whose results are taken in the order in which the things came. Those that share a key
 * begin one after the other; others are not held up.
 */

/** How many may be under way, by the option `concurrency`. */
export const limitOf = (concurrency: number = 16): number => Math.max(1, Math.floor(concurrency) || 1)

/** One of them. */
export class Job<Input, Result> {
  next: Job<Input, Result> | undefined
  /** What begins when this is done, since it has the same key. */
  successor: Job<Input, Result> | undefined
  isDone = false
  result: Result | undefined

  constructor(readonly input: Input, readonly key: string | undefined) {}
}

export class InOrder<Input, Result> {
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

  /** Takes note of a result, and gives the job that waited for it, to begin now. */
  done(job: Job<Input, Result>, result: Result): Job<Input, Result> | undefined {
    job.result = result
    job.isDone = true
    const { successor } = job
    job.successor = undefined
    return successor
  }

  /** The job whose turn it is to be taken, once it is done. */
  get ready(): Job<Input, Result> | undefined {
    return this.first?.isDone === true ? this.first : undefined
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

  /** There are few of them: to look at each is cheaper than a table of keys. */
  private lastOf(key: string): Job<Input, Result> | undefined {
    let found: Job<Input, Result> | undefined
    for (let job = this.first; job !== undefined; job = job.next) {
      if (job.key === key && !job.isDone) found = job
    }
    return found
  }
}
