/**
 * A queue that one may leave from the middle: a list whose items know their neighbours.
 *
 * Not a `Set`, where things come and go with each request: V8 makes it a new table every few dozen of them, and each old
 * table points to the next. Once one of them is taken for long-lived, so are all that follow, with all that was in them.
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

  /** The items as they are now, whoever leaves meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    const items: Array<T> = []
    for (let item = this.first; item !== undefined; item = item.next) items.push(item)
    return items[Symbol.iterator]()
  }
}
