/**
 * Reports about requests that are refused before their signature is known to be valid. Anybody can send any number of
 * those, so one log line per interval sums them up. Also explains why a signature did not match, once per interval.
 */
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import type { Ground } from "../fiber/ground.js"
import { SignatureError } from "../HookrailError.js"
import { largest } from "../signature/mistakes.js"
import type { Service as VerifierService } from "../SignatureVerifier.js"
import type { WebhookRequest } from "./model.js"
import { note } from "./note.js"

/** In milliseconds. */
const interval = 10_000

/** A request whose signature does not match, kept until the reason is looked for. */
class Mismatch {
  constructor(
    readonly ground: Ground,
    readonly request: WebhookRequest,
    readonly body: Uint8Array,
    readonly explain: NonNullable<VerifierService["explain"]>
  ) {}
}

class Refused {
  count = 0
  text = ""
}

export class Reports {
  private ground: Ground | undefined
  private openedAt = -Infinity
  /** Refusals since the last line, by kind. */
  private refusals = new Map<string, Refused>()
  private explainedAt = -Infinity
  private waiting: Mismatch | undefined

  /** Records a refused request. The first one is reported at once, later ones at the end of the interval. */
  refused(ground: Ground, kind: string, text: string): void {
    const now = ground.clock.unsafeCurrentTimeMillis()
    // If the platform has dropped the timer, the next request does its work.
    if (this.ground !== undefined && Math.abs(now - this.openedAt) >= 2 * interval) this.close()
    if (this.ground === undefined) {
      note(ground, LogLevel.Warning, text)
      this.open(ground, now)
      return
    }
    let refused = this.refusals.get(kind)
    if (refused === undefined) this.refusals.set(kind, refused = new Refused())
    refused.count++
    refused.text = text
  }

  private open(ground: Ground, now: number): void {
    this.ground = ground
    this.openedAt = now
    ground.later(interval, closeReports, this)
  }

  /** @internal */
  close(): void {
    const { ground, refusals } = this
    if (ground === undefined) return
    this.ground = undefined
    if (refusals.size === 0) return
    this.refusals = new Map()
    let count = 0
    const kinds: Array<string> = []
    for (const refused of refusals.values()) {
      count += refused.count
      kinds.push(`${refused.count} x ${refused.text}`)
    }
    const seconds = interval / 1000
    note(ground, LogLevel.Warning, `${count} more webhooks refused within ${seconds} seconds: ${kinds.join("; ")}`)
    this.open(ground, ground.clock.unsafeCurrentTimeMillis())
  }

  /**
   * Records a signature that did not match. The first mismatch of an interval is examined as soon as it is answered; of the
   * others only the last one, at the end of the interval. So a flood of forgeries does not hide a wrong secret for long.
   */
  mismatch(
    ground: Ground,
    error: SignatureError,
    request: WebhookRequest,
    body: Uint8Array,
    explain: VerifierService["explain"]
  ): void {
    if (explain === undefined || body.length > largest) return this.unexplained(ground, error, request)
    const mismatch = new Mismatch(ground, request, body, explain)
    const now = ground.clock.unsafeCurrentTimeMillis()
    if (Math.abs(now - this.explainedAt) >= 2 * interval) {
      this.explainedAt = now
      ground.later(0, explainMismatch, [this, mismatch])
      ground.later(interval, explainNext, this)
      return
    }
    const { waiting } = this
    this.waiting = mismatch
    if (waiting !== undefined) this.unexplained(waiting.ground, error, waiting.request)
  }

  private unexplained(ground: Ground, error: SignatureError, { advice }: WebhookRequest): void {
    if (error.mistake === undefined) this.refused(ground, "mismatch", error.message)
    else note(ground, LogLevel.Warning, withAdvice(error, advice))
  }

  /** @internal */
  explainNext(): void {
    const { waiting } = this
    this.waiting = undefined
    if (waiting === undefined) {
      this.explainedAt = -Infinity
      return
    }
    this.explainedAt = waiting.ground.clock.unsafeCurrentTimeMillis()
    waiting.ground.later(interval, explainNext, this)
    this.explain(waiting)
  }

  /** @internal */
  explain({ body, explain, ground, request }: Mismatch): void {
    ground.begin(explain(request.headers, body), (exit) => {
      const error = Exit.isSuccess(exit) ? exit.value : undefined
      if (error === undefined) this.unexplained(ground, unexplained, request)
      else note(ground, LogLevel.Warning, withAdvice(error, request.advice))
    })
  }
}

const unexplained = new SignatureError({
  reason: "use the endpoint's secret, whsec_ included, and the raw body, as it came, before any parser"
})

const closeReports = (reports: Reports): void => reports.close()

const explainNext = (reports: Reports): void => reports.explainNext()

const explainMismatch = ([reports, mismatch]: readonly [Reports, Mismatch]): void => reports.explain(mismatch)

/** Adds the line of code to change, if the body is the problem. */
const withAdvice = (error: SignatureError, advice: string): string =>
  error.mistake?.startsWith("body-") === true ? `${error.message}: ${advice}` : error.message
