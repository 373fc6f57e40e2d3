/**
 * Concurrent jobs whose results are taken in the order in which the jobs were added. Jobs with the same key start one after the
 * other; all others start at once.
 */

/** How many jobs may be in flight, by the option `concurrency`. */
export const limitOf = (concurrency: number = 16): number => Math.max(1, Math.floor(concurrency) || 1)

export class Job<Input, Result extends object> {
  next: Job<Input, Result> | undefined
  /** The next job with the same key: it starts when this one is done. */
  successor: Job<Input, Result> | undefined
  /** Set when the job is done. */
  result: Result | undefined

  constructor(readonly input: Input, readonly key: string | undefined) {}
}

export class InOrder<Input, Result extends object> {
  /** How many jobs were added and not yet taken. */
  size = 0
  private first: Job<Input, Result> | undefined
  private last: Job<Input, Result> | undefined
  /** The last unfinished job of each key. */
  private readonly lastOfKey = new Map<string, Job<Input, Result>>()
  private readonly held = new Set<string>()

  /** `unsent` makes the result of a job that never starts because its key is held. */
  constructor(private readonly unsent: (input: Input, key: string) => Result) {}

  /** Returns the job if it must start now. Otherwise `done` returns it later, or it never starts. */
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

  /** Records a result and returns the job that must start now, if one waited for it. */
  done(job: Job<Input, Result>, result: Result): Job<Input, Result> | undefined {
    return this.settle(job, result)
  }

  /** Records a result when no more jobs start: `failure` becomes the result of all that waited for it. */
  end(job: Job<Input, Result>, result: Result, failure: Result): void {
    for (let next = this.settle(job, result); next !== undefined;) next = this.settle(next, failure)
  }

  /** Records a result and holds its key: no job with this key starts any more. */
  hold(job: Job<Input, Result>, result: Result): void {
    const { key } = job
    let next = this.settle(job, result)
    if (key === undefined) return
    this.held.add(key)
    while (next !== undefined) next = this.settle(next, this.unsent(next.input, key))
  }

  /** The next result in order, if it is available. */
  get ready(): Result | undefined {
    return this.first?.result
  }

  /** Removes the first job and unlinks it from its neighbour: `queue.ts` says why chains of finished items are harmful. */
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
