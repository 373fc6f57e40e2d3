/** Warns of calls of `sendEvents` and `replayAll` whose result nobody uses: they do nothing. */
import type { Caller } from "./caller.js"
import type { Write } from "./log.js"

/** A result that is not used yet. It does not refer to it. */
class Waiting {
  constructor(readonly unused: Unused, readonly caller: Caller) {}
}

/** Not in every engine. */
const dropped = typeof FinalizationRegistry === "undefined"
  ? undefined
  : /* #__PURE__ */ new FinalizationRegistry<Waiting>((waiting) => waiting.unused.tell(waiting))

/**
 * The results of one client that nobody uses. It warns when one is dropped for good, or when the client is closed.
 *
 * @internal
 */
export class Unused {
  private readonly waiting = new Set<Waiting>()

  /**
   * @param did What the call has done in the end.
   * @param call How it is written.
   */
  constructor(private readonly write: Write, private readonly did: string, private readonly call: string) {}

  /** Returns a function that says that the result is used. */
  watch(result: object, caller: Caller): () => void {
    const waiting = new Waiting(this, caller)
    this.waiting.add(waiting)
    dropped?.register(result, waiting, waiting)
    return () => {
      this.waiting.delete(waiting)
      dropped?.unregister(waiting)
    }
  }

  tell(waiting: Waiting): void {
    if (!this.waiting.delete(waiting)) return
    const { call, did } = this
    this.write({
      level: "warning",
      message: `${did}, because its result was neither awaited nor iterated: write ` +
        `\`await ${call}(...)\` or \`for await (const result of ${call}(...))\`${waiting.caller.place}`,
      annotations: {}
    })
  }

  tellAll(): void {
    for (const waiting of this.waiting) this.tell(waiting)
  }
}
