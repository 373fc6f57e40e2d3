/**
 * A queue whose items can leave from the middle: a doubly linked list.
 *
 * Not a `Set`, because its items come and go with each request: V8 allocates a new table for it every few dozen items, and
 * each old table points to the next. Once one of them is promoted to the old generation, so are all that follow, with all
 * their items.
 */
export interface Queued<T> {
  /** Its neighbours, while it is in a queue. Only the queue touches them. */
  next: T | undefined
  previous: T | undefined
}

export class Queue<T extends Queued<T>> implements Iterable<T> {
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

  /** Call it once, for an item in the queue. */
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

  /** Iterates over a snapshot; items may leave during iteration. */
  [Symbol.iterator](): Iterator<T> {
    const items: Array<T> = []
    for (let item = this.first; item !== undefined; item = item.next) items.push(item)
    return items[Symbol.iterator]()
  }
}
