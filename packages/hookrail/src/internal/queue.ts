/**
 * A queue that one may leave from the middle: a list whose items know their neighbours. Not a `Set`, for the reason that
 * `bag.ts` gives.
 */
export interface Queued<T> {
  /** Its neighbours, while it is in a queue. Only the queue touches them. */
  next: T | undefined
  previous: T | undefined
}

export class Queue<T extends Queued<T>> {
  first: T | undefined
  size = 0
  private last: T | undefined

  add(item: T): void {
    item.previous = this.last
    if (this.last === undefined) this.first = item
    else this.last.next = item
    this.last = item
    this.size++
  }

  /** To be called for an item that is in it, once. */
  delete(item: T): void {
    const { next, previous } = item
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
    item.next = undefined
    item.previous = undefined
    this.size--
  }
}
