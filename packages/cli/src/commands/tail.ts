/** The deliveries of a server as they happen, by asking again and again. It says when it does not see everything. */
import type { HookrailAdmin } from "@hookrail/promise/admin"
import { isAway, withAdmin } from "../base/admin.js"
import { type Context, type Run, sleep } from "../base/context.js"
import { millisOf } from "../base/duration.js"
import { usage } from "../base/exit.js"
import { paintState } from "../base/output.js"
import type { DeliveriesFilter } from "./admin.js"

export interface TailInput extends DeliveriesFilter {
  readonly interval: string
  readonly last: number
}

type Row = Awaited<ReturnType<HookrailAdmin["deliveries"]["page"]>>["items"][number]

const pageSize = 200
/** So many pages are read to catch up; behind these, deliveries are missed. */
const maxPages = 10
/** So many deliveries are remembered, and so many open ones asked for one by one in each round. */
const maxKnown = 20_000
const maxAsked = 20
const slept = 20_000
const maxBackoffMs = 10_000

const isOver = (state: string): boolean => ["succeeded", "dead_lettered", "cancelled", "skipped"].includes(state)

/** One watch: what it has seen, and what is still open. */
export class Tail {
  /** States by delivery, in the order in which they were seen. */
  private readonly known = new Map<string, string>()
  private readonly open = new Map<string, Row>()
  private isFirst = true
  /** For how many failures this round has asked why: a flood of them must not make it late. */
  private explained = 0

  constructor(
    private readonly admin: HookrailAdmin,
    private readonly input: TailInput,
    private readonly context: Context
  ) {}

  async round(): Promise<void> {
    this.explained = 0
    const rows = await this.news()
    const start = this.isFirst ? Math.max(rows.length - this.input.last, 0) : 0
    for (const row of rows.slice(0, start)) this.remember(row)
    this.isFirst = false
    for (const row of rows.slice(start)) await this.seen(row)
    await this.askForOpen(new Set(rows.map(({ deliveryId }) => deliveryId)))
  }

  /** What is new or has changed, oldest first: pages are read until one has nothing new. */
  private async news(): Promise<ReadonlyArray<Row>> {
    const { endpoint, event, state, topic } = this.input
    const filter = { state, endpointId: endpoint, topic, eventId: event }
    const news: Array<Row> = []
    let cursor: string | undefined
    for (let page = 0;; page++) {
      const { items, nextCursor } = await this.admin.deliveries.page({ ...filter, cursor, limit: pageSize }, this.call)
      for (const row of items) if (this.known.get(row.deliveryId) !== row.state) news.push(row)
      const isCaughtUp = items.some(({ deliveryId }) => this.known.has(deliveryId))
      if (isCaughtUp || this.isFirst || nextCursor === undefined) break
      if (page + 1 === maxPages) {
        this.tell(
          { type: "lag" },
          `there is more than can be shown: ${maxPages * pageSize} new deliveries, and older ones are missed`
        )
        break
      }
      cursor = nextCursor
    }
    return news.reverse()
  }

  private get call() {
    return { retry: false, signal: this.context.signal } as const
  }

  private remember(row: Row): void {
    this.known.delete(row.deliveryId)
    this.known.set(row.deliveryId, row.state)
    if (isOver(row.state)) this.open.delete(row.deliveryId)
    else this.open.set(row.deliveryId, row)
    while (this.known.size > maxKnown) this.known.delete(this.known.keys().next().value!)
    while (this.open.size > maxKnown) this.open.delete(this.open.keys().next().value!)
  }

  /** Deliveries whose end lies behind the pages that were read. */
  private async askForOpen(fresh: ReadonlySet<string>): Promise<void> {
    let asked = 0
    for (const [deliveryId, row] of [...this.open]) {
      if (fresh.has(deliveryId)) continue
      if (asked++ === maxAsked) break
      const { state } = await this.admin.deliveries.get(deliveryId, this.call)
      // Asked last, next time.
      this.open.delete(deliveryId)
      this.open.set(deliveryId, row)
      if (state !== row.state) await this.seen({ ...row, state })
    }
  }

  private async seen(row: Row): Promise<void> {
    const { deliveryId, endpointId, eventId, state } = row
    const isFailure = state === "retry_scheduled" || state === "dead_lettered"
    const attempt = isFailure && this.explained++ < maxAsked
      ? (await this.admin.deliveries.get(deliveryId, this.call)).attempts.at(-1)
      : undefined
    this.remember(row)
    const at = new Date().toISOString()
    const { out } = this.context
    out.data(
      {
        type: "delivery",
        at,
        deliveryId,
        eventId,
        endpointId,
        state,
        orderingKey: row.orderingKey,
        attemptNo: attempt?.attemptNo,
        httpStatus: attempt?.httpStatus,
        errorClass: attempt?.errorClass
      },
      () => {
        const why = attempt === undefined
          ? ""
          : `  ${attempt.httpStatus ?? attempt.errorClass ?? ""}, attempt ${attempt.attemptNo}`
        const padding = " ".repeat(Math.max(15 - state.length, 0))
        return `${out.paint("dim", at.slice(11, 19))}  ${
          paintState(state, out.paint)
        }${padding}  ${deliveryId}  event ${eventId}${why}`
      }
    )
  }

  tell(value: { readonly type: string }, text: string): void {
    const { out } = this.context
    if (out.isJson) out.line(JSON.stringify({ ...value, at: new Date().toISOString(), message: text }))
    else out.warn(text)
  }
}

interface Time {
  readonly now: () => number
  /** Ends early, without an error, once the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** Asks again and again, until the signal is aborted; less often while the server is away. */
export const follow = async (
  tail: Pick<Tail, "round" | "tell">,
  url: string,
  interval: number,
  signal: AbortSignal,
  { now, sleep }: Time
): Promise<void> => {
  let failures = 0
  let before = now()
  while (!signal.aborted) {
    const pause = failures === 0
      ? interval
      : Math.min(interval * 2 ** Math.min(failures - 1, 10), Math.max(maxBackoffMs, interval))
    await sleep(pause, signal)
    if (signal.aborted) break
    const missed = now() - before - pause
    if (missed > slept) {
      tail.tell({ type: "slept" }, `this machine slept for ${Math.round(missed / 1000)} s: catching up`)
    }
    try {
      await tail.round()
      if (failures > 0) tail.tell({ type: "back" }, `${url} is back`)
      failures = 0
    } catch (error) {
      signal.throwIfAborted()
      if (!isAway(error)) throw error
      if (failures++ === 0) {
        tail.tell({ type: "gone" }, `${url} is gone (${String(Object(error).message)}): trying again`)
      }
    }
    before = now()
  }
}

export const tail: Run<TailInput> = (input, context) => {
  const { out, signal } = context
  const interval = millisOf("--interval", input.interval)
  if (interval < 100) throw usage("--interval must be at least 100ms")
  if (input.last < 0 || input.last > pageSize) throw usage(`--last must be 0 to ${pageSize}`)
  return withAdmin(context, async (admin, { url }) => {
    const tail = new Tail(admin, input, context)
    await tail.round()
    out.note(`watching ${url}, every ${interval / 1000} s. Ctrl-C ends this.`)
    await follow(tail, url, interval, signal, { now: Date.now, sleep })
  })
}
