/** Runs statements until they succeed: a database that is away must neither end a relay nor make it spin. */
import { failureOf } from "../executor/failure.js"
import type { Names } from "../sql/names.js"
import type { Counts } from "./counts.js"
import type { RelayLog } from "./model.js"
import type { Ending } from "./waiting.js"

const minDelay = 50
const maxDelay = 5_000

const late = Symbol("late")

export class Database {
  private failures = 0

  constructor(
    private readonly names: Names,
    private readonly counts: Counts,
    private readonly log: (entry: RelayLog) => void,
    private readonly random: () => number,
    /** A connection may be dead without anybody noticing: how long to wait for an answer. */
    private readonly maxMs: number
  ) {}

  /** Retries until it succeeds, or until the end: then `undefined`. */
  async run<A>(ending: Ending, statement: () => Promise<A>): Promise<A | undefined> {
    for (let attempt = 0; !ending.isOver; attempt++) {
      try {
        const result = await this.inTime(statement())
        if (result === late) throw failureOf("A statement", { code: "ETIMEDOUT" }, this.names)
        this.succeeded()
        return result
      } catch (error) {
        this.failed(error)
        await ending.sleep(Math.min(maxDelay, minDelay * 2 ** Math.min(attempt, 20)) * (0.5 + this.random() / 2))
      }
    }
    return undefined
  }

  private async inTime<A>(running: Promise<A>): Promise<A | typeof late> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<typeof late>((resolve) => (timer = setTimeout(() => resolve(late), this.maxMs)))
    // If it loses the race, nobody is there for its failure.
    running.catch(() => {})
    try {
      return await Promise.race([running, timeout])
    } finally {
      clearTimeout(timer)
    }
  }

  private succeeded(): void {
    if (this.failures === 0) return
    this.log({ level: "info", message: "The database answers again.", fields: { failures: this.failures } })
    this.failures = 0
    this.counts.databaseError = undefined
  }

  /** Logged once until a statement succeeds. */
  private failed(error: unknown): void {
    this.counts.databaseErrors++
    const { message, name } = Object(error) as { readonly message?: unknown; readonly name?: unknown }
    const text = `${String(name)}: ${String(message)}`
    if (this.failures++ === 0 || this.counts.databaseError !== text) {
      this.log({ level: "error", message: "A statement failed. It is tried again.", fields: { error: text } })
    }
    this.counts.databaseError = text
  }
}
