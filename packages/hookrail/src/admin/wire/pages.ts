/** Follows the cursors of a list to its end, and not in a circle. */

/** How many empty pages in a row may promise another one. The server's promise at most one (protocol section 5.1). */
const maxEmpty = 3

/** Remembers what is needed to notice that a list does not end: by Brent's method, in constant memory. */
export class Cursors {
  private kept: string | undefined
  private steps = 0
  private lap = 1
  private empty = 0

  /** The next cursor of a page with so many items; a reason if the list does not end. */
  follow(cursor: string, items: number): string | undefined {
    this.empty = items === 0 ? this.empty + 1 : 0
    if (this.empty > maxEmpty) return "The list goes on with empty pages"
    if (cursor === this.kept) return "The list comes back to a page that it had before"
    if (++this.steps === this.lap) {
      this.kept = cursor
      this.steps = 0
      this.lap *= 2
    }
    return undefined
  }
}
