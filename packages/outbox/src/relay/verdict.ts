/** What the result of a send means for the event. It knows the errors of the clients by their fields, on every line of Effect. */

/** Why an attempt did not end with an acceptance. */
export class Verdict {
  constructor(
    /**
     * - `accepted`: the server has it, although the call failed.
     * - `again`: it is tried again, after a delay.
     * - `refused`: it will never be accepted as it is.
     * - `interrupted`: the attempt was given up before it began, and says nothing about the event.
     */
    readonly kind: "accepted" | "again" | "refused" | "interrupted",
    /** The server may have accepted it. */
    readonly isAmbiguous: boolean,
    readonly status: number | undefined,
    readonly text: string,
    /** How long the server asked to wait. */
    readonly retryAfterMs: number | undefined,
    /**
     * What it says about other events: nothing; or the server cannot be reached (`connection`), or takes none now (`overload`), or
     * will take none before somebody changes the configuration.
     */
    readonly concerns: "event" | "connection" | "overload" | "configuration"
  ) {}
}

interface Failure {
  readonly _tag?: unknown
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly outcome?: unknown
  readonly status?: unknown
  readonly retryable?: unknown
  readonly retryAfterMs?: unknown
  readonly retryAfter?: { readonly value?: { readonly millis?: unknown } } | undefined
  readonly problem?: { readonly title?: unknown } | undefined
  readonly cause?: unknown
}

const again = new Set([
  "RetryError",
  "HookrailConnectionError",
  "HookrailTimeoutError",
  "RateLimitError",
  "ServerError",
  "UnexpectedResponseError",
  // The key may not send to this topic: that can be changed, and is not the fault of the event.
  "ForbiddenError"
])

/** The event itself is at fault. A 404 is not among them: nothing of an event can cause it. */
const refused = new Set([
  "BadRequestError",
  "ConflictError",
  "PayloadTooLargeError",
  "InvalidPayloadError",
  "InvalidArgumentError"
])

const interrupted = new Set(["HookrailAbortedError", "HookrailClosedError"])

const maxText = 500

/** Texts for a column: some databases refuse NUL. */
export const shortText = (text: string): string => text.slice(0, maxText).replaceAll("\0", "")

export const verdictOf = (error: unknown): Verdict => {
  const failure = Object(error) as Failure
  const last = failure._tag === "RetryError" ? Object(failure.cause) as Failure : failure
  const tag = String(failure._tag)
  const status = typeof last.status === "number" ? last.status : undefined
  const { outcome } = failure
  const isKnown = again.has(tag) || refused.has(tag) || interrupted.has(tag) || tag === "AuthenticationError" ||
    tag === "NotFoundError" || outcome === "accepted"
  // The messages of clients hold no payload; those of anything else may.
  const text = shortText(
    isKnown ? String(failure.message) : `${String(failure.name ?? tag)}${codeOf(failure)}: see the log of the program`
  )
  const isAmbiguous = outcome !== "not-sent" && outcome !== "refused"
  const make = (kind: Verdict["kind"], concerns: Verdict["concerns"] = "event"): Verdict =>
    new Verdict(kind, kind !== "accepted" && isAmbiguous, status, text, retryAfterOf(last), concerns)
  if (outcome === "accepted") return make("accepted")
  if (refused.has(tag)) return make("refused")
  if (interrupted.has(tag)) {
    return outcome === "not-sent"
      ? make("interrupted", tag === "HookrailClosedError" ? "configuration" : "event")
      : make("again")
  }
  // A wrong key or base URL: every event would be refused, and none of them is at fault.
  if (tag === "AuthenticationError" || tag === "NotFoundError") return make("again", "configuration")
  return make("again", concernsOf(last))
}

const concernsOf = ({ _tag, problem, status }: Failure): Verdict["concerns"] => {
  if (_tag === "HookrailConnectionError" || _tag === "HookrailTimeoutError") return "connection"
  if (typeof status !== "number") return "event"
  // A full backlog concerns one ordering key.
  return status >= 500 || (status === 429 && problem?.title !== "backlog full") ? "overload" : "event"
}

const codeOf = ({ code }: Failure): string =>
  typeof code === "string" && /^[A-Z_\d]{1,40}$/.test(code) ? ` ${code}` : ""

const retryAfterOf = ({ retryAfter, retryAfterMs }: Failure): number | undefined => {
  const millis = retryAfterMs ?? retryAfter?.value?.millis
  return typeof millis === "number" && millis >= 0 ? millis : undefined
}
