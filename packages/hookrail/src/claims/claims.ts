/**
 * Deliveries that are claimed or handled, in memory. Every operation takes constant time: this is a hash table in flat
 * arrays that reuses the slots of removed entries. A `Map` whose entries come and go is rebuilt as a whole again and again,
 * which blocks the process for milliseconds.
 */

/** The ends of the two lists. No entry has these numbers; 0 in the table is an empty slot. */
const running = 0
const handled = 1

/** Claims are abandoned this long after the end of their lease, in milliseconds. */
const abandonedAfter = 60_000

/** The most entries that one operation removes: more than it adds, so that no backlog remains. */
const forgetAtOnce = 4

/** Results of a claim in place of a token. */
export const isDone = 0
export const isRunning = -1

export class Claims {
  /** Entry numbers, by hash. */
  private table = new Int32Array(64)
  // One element per entry.
  private keys: Array<string> = ["", ""]
  private hashes = new Int32Array(32)
  /** For a claim, when its lease ends; for a handled delivery, when it was handled. */
  private times = new Float64Array(32)
  /** For a claim, its token; for a handled delivery, 0. */
  private tokens = new Float64Array(32)
  /** Each entry is in one of two linked rings: claims, and handled deliveries, oldest first. */
  private next = new Int32Array(32)
  private previous = new Int32Array(32)
  private free: Array<number> = []
  private doneCount = 0
  private entryCount = 0
  private lastToken = 0

  /**
   * @param capacity How many handled deliveries are remembered.
   * @param ttl How long, in milliseconds.
   * @param seed Seeds the hash of this table.
   */
  constructor(private readonly capacity: number, private readonly ttl: number, private readonly seed: number) {
    this.next[handled] = handled
    this.previous[handled] = handled
  }

  /** The number of deliveries, claimed and handled. */
  get size(): number {
    return this.entryCount
  }

  /** Returns a token of the claim, above 0; `isDone` or `isRunning` if the delivery cannot be claimed. */
  claim(key: string, now: number, lease: number): number {
    this.forget(now)
    this.sweep(now)
    const hash = this.hashOf(key)
    const slot = this.slotOf(key, hash)
    let entry = this.table[slot]!
    if (entry === 0) entry = this.insert(key, hash, slot)
    else if (this.tokens[entry] === 0) {
      if (this.times[entry]! + this.ttl > now) return isDone
      this.unlink(entry)
      this.doneCount--
    } else {
      if (this.times[entry]! > now) return isRunning
      this.unlink(entry)
    }
    this.link(entry, running)
    this.times[entry] = now + lease
    return this.tokens[entry] = ++this.lastToken
  }

  /** Renews a claim for another lease. Returns whether the token holds it. */
  renew(key: string, token: number, now: number, lease: number): boolean {
    const entry = this.held(key, token)
    if (entry === 0) return false
    this.times[entry] = now + lease
    return true
  }

  done(key: string, token: number, now: number): void {
    const entry = this.held(key, token)
    if (entry === 0) return
    this.unlink(entry)
    this.link(entry, handled)
    this.times[entry] = now
    this.tokens[entry] = 0
    this.doneCount++
    this.forget(now)
  }

  release(key: string, token: number): void {
    const entry = this.held(key, token)
    if (entry !== 0) this.remove(entry)
  }

  /** The entry of a claim; 0 if the token does not hold it. */
  private held(key: string, token: number): number {
    const entry = this.table[this.slotOf(key, this.hashOf(key))]!
    return entry !== 0 && token > 0 && this.tokens[entry] === token ? entry : 0
  }

  /** Removes the oldest handled deliveries: all beyond the capacity, and a few that have expired. */
  private forget(now: number): void {
    for (let count = 0; count < forgetAtOnce && this.doneCount > 0; count++) {
      const oldest = this.next[handled]!
      if (this.doneCount <= this.capacity && this.times[oldest]! + this.ttl > now) return
      this.doneCount--
      this.remove(oldest)
    }
  }

  /** Checks one claim, a different one each time, and removes it if it is abandoned. */
  private sweep(now: number): void {
    const oldest = this.next[running]!
    if (oldest === running) return
    if (this.times[oldest]! + abandonedAfter <= now) return this.remove(oldest)
    this.unlink(oldest)
    this.link(oldest, running)
  }

  private hashOf(key: string): number {
    let hash = this.seed
    for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
    // The low bits choose the slot: mix in the high ones.
    return hash ^ (hash >>> 15)
  }

  /** The slot of a key, or where it would be. */
  private slotOf(key: string, hash: number): number {
    const { hashes, keys, table } = this
    const mask = table.length - 1
    let slot = hash & mask
    for (let entry; (entry = table[slot]!) !== 0; slot = (slot + 1) & mask) {
      if (hashes[entry] === hash && keys[entry] === key) return slot
    }
    return slot
  }

  private insert(key: string, hash: number, slot: number): number {
    const entry = this.free.pop() ?? this.keys.length
    if (entry === this.hashes.length) {
      this.grow()
      slot = this.slotOf(key, hash)
    }
    this.keys[entry] = key
    this.hashes[entry] = hash
    this.table[slot] = entry
    this.entryCount++
    return entry
  }

  private remove(entry: number): void {
    this.unlink(entry)
    const { hashes, keys, table } = this
    const mask = table.length - 1
    let hole = this.slotOf(keys[entry]!, hashes[entry]!)
    // Moves up entries that were displaced by the removed one.
    for (let slot = (hole + 1) & mask, behind; (behind = table[slot]!) !== 0; slot = (slot + 1) & mask) {
      const home = hashes[behind]! & mask
      if (((slot - home) & mask) >= ((slot - hole) & mask)) {
        table[hole] = behind
        hole = slot
      }
    }
    table[hole] = 0
    keys[entry] = ""
    this.tokens[entry] = 0
    this.free.push(entry)
    this.entryCount--
  }

  private link(entry: number, ring: number): void {
    const last = this.previous[ring]!
    this.next[last] = entry
    this.previous[entry] = last
    this.next[entry] = ring
    this.previous[ring] = entry
  }

  private unlink(entry: number): void {
    const previous = this.previous[entry]!
    const next = this.next[entry]!
    this.next[previous] = next
    this.previous[next] = previous
  }

  /** Doubles the capacity. The table stays at most half full. */
  private grow(): void {
    const size = this.hashes.length * 2
    this.hashes = copied(this.hashes, new Int32Array(size))
    this.times = copied(this.times, new Float64Array(size))
    this.tokens = copied(this.tokens, new Float64Array(size))
    this.next = copied(this.next, new Int32Array(size))
    this.previous = copied(this.previous, new Int32Array(size))
    const old = this.table
    const table = new Int32Array(size * 2)
    const mask = table.length - 1
    for (const entry of old) {
      if (entry === 0) continue
      let slot = this.hashes[entry]! & mask
      while (table[slot] !== 0) slot = (slot + 1) & mask
      table[slot] = entry
    }
    this.table = table
  }
}

const copied = <A extends Int32Array | Float64Array>(from: A, to: A): A => {
  to.set(from)
  return to
}
