/** A body that is being received: joined as it arrives, so that it never takes more than about twice its size. */

/** Chunks below this size are copied together: each chunk has an overhead of about a hundred bytes. */
const smallest = 4096

const none = new Uint8Array(0)

export class Collector {
  private first: Uint8Array | undefined
  private bytes = none
  size = 0

  add(piece: Uint8Array): void {
    const { size } = this
    this.size += piece.length
    // Most bodies arrive in one chunk, which is not copied.
    if (size === 0 && piece.length > 0) {
      this.first = piece
      return
    }
    if (this.size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(smallest, this.size, Math.min(size * 2, size + 262_144)))
      grown.set(this.first ?? this.bytes.subarray(0, size))
      this.first = undefined
      this.bytes = grown
    }
    this.bytes.set(piece, size)
  }

  /** Everything received so far. */
  joined(): Uint8Array {
    return this.first ?? this.bytes.subarray(0, this.size)
  }
}
