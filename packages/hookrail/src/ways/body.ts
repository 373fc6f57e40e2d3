/** A body on its way in: joined as it comes, so that it never takes more than about twice its bytes. */

/** Pieces below this size are copied together: each piece costs some hundred bytes of its own. */
const smallest = 4096

const none = new Uint8Array(0)

export class Collector {
  private first: Uint8Array | undefined
  private bytes = none
  size = 0

  add(piece: Uint8Array): void {
    const { size } = this
    this.size += piece.length
    // Most bodies come in one piece, which is not copied.
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

  /** All that has come. */
  joined(): Uint8Array {
    return this.first ?? this.bytes.subarray(0, this.size)
  }
}
