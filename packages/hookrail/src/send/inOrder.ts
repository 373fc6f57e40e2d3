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
  /** The last one of each key that is not done. */
  private readonly lastOfKey = new Map<string, Job<Input, Result>>()
  private readonly held = new Set<string>()

  /** `unsent` makes the result of what does not begin, because its key is held. */
  constructor(private readonly unsent: (input: Input, key: string) => Result) {}

  /** Gives the job if it is to begin now; otherwise `done` of another one gives it later, or it never begins. */
  add(input: Input, key: string | undefined): Job<Input, Result> | undefined {
    const job = new Job<Input, Result>(input, key)
    if (this.last === undefined) this.first = job
    else this.last.next = job
    this.last = job
    this.size++
    if (key === undefined) return job
    if (this.held.has(key)) {
      job.result = this.unsent(input, key)
      return undefined
    }
    const predecessor = this.lastOfKey.get(key)
    this.lastOfKey.set(key, job)
    if (predecessor === undefined) return job
    predecessor.successor = job
    return undefined
  }

  /** Takes note of a result, and gives the job that waited for it, to begin now. */
  done(job: Job<Input, Result>, result: Result): Job<Input, Result> | undefined {
    return this.settle(job, result)
  }

  /** The same where nothing begins any more: `failure` is the result of all that waited. */
  end(job: Job<Input, Result>, result: Result, failure: Result): void {
    for (let next = this.settle(job, result); next !== undefined;) next = this.settle(next, failure)
  }

  /** The same, but nothing with the key of this job begins any more, now or later. */
  hold(job: Job<Input, Result>, result: Result): void {
    const { key } = job
    let next = this.settle(job, result)
    if (key === undefined) return
    this.held.add(key)
    while (next !== undefined) next = this.settle(next, this.unsent(next.input, key))
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
    const { key, successor } = job
    job.result = result
    job.successor = undefined
    if (key !== undefined && this.lastOfKey.get(key) === job) this.lastOfKey.delete(key)
    return successor
  }
}
