/**
 * Things under way, in no order.
 *
 * Not a `Set`, where things come and go with each request: V8 makes it a new table every few dozen of them, and each old
 * table points to the next. Once one of them is taken for long-lived, so are all that follow, with all that was in them.
 */
export interface Bagged {
  /** Where it is, if it is in. Only the bag touches it. */
  slot: number
}

export class Bag<T extends Bagged> implements Iterable<T> {
  private readonly items: Array<T> = []

  add(item: T): void {
    item.slot = this.items.length
    this.items.push(item)
  }

  delete(item: T): void {
    const { items } = this
    if (items[item.slot] !== item) return
    const last = items.pop()!
    if (last === item) return
    items[item.slot] = last
    last.slot = item.slot
  }

  /** The items as they are now, whatever happens to them meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return [...this.items][Symbol.iterator]()
  }
}
