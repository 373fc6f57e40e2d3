/** Warns of calls of `sendEvents` whose result nobody uses: they send nothing. */
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

  constructor(private readonly write: Write) {}

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
    this.write({
      level: "warning",
      message: "sendEvents has sent nothing, because its result was neither awaited nor iterated: write " +
        `\`await hookrail.sendEvents(...)\` or \`for await (const result of hookrail.sendEvents(...))\`${waiting.caller.place}`,
      annotations: {}
    })
  }

  tellAll(): void {
    for (const waiting of this.waiting) this.tell(waiting)
  }
}
