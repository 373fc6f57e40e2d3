/**
 * Sends what is in the outbox.
 *
 * A relay claims events in batches. The events of one ordering key are a lane: they are sent one after the other, and the lane
 * stops at the first one that fails. Lanes run next to each other. What was accepted is deleted in batches; a crash before that
 * only sends it again, in order, and the server knows it by its key.
 */
import { uuid } from "hookrail/wire/bytes"
import { checkNames } from "../check.js"
import { RowError, SchemaError } from "../errors.js"
import type { Executor } from "../executor/model.js"
import { requireSchema } from "../operate/migrate.js"
import { Acks } from "./acks.js"
import { Counts } from "./counts.js"
import { Database } from "./database.js"
import { type Lane, lanesOf, Lease } from "./lane.js"
import type { ParkReason, Relay, RelayClient, RelayOptions, RelayStats } from "./model.js"
import { type Settings, settingsOf, whole } from "./options.js"
import { type Stopped, Store, type Taken } from "./store.js"
import { shortText, type Verdict, verdictOf } from "./verdict.js"
import { Ending, Signal } from "./waiting.js"

/** After so many refusals for overload in a row, without an acceptance, the gate closes for all relays. */
const refusalsToClose = 8
const minClosureMs = 1_000
const maxClosureMs = 30_000

const pauses = {
  configuration:
    "The server refuses everything, or the client is closed: check the key and the base URL. This relay pauses.",
  connection: "The server cannot be reached. This relay pauses.",
  overload: "The server takes nothing now. All relays of the destination pause."
}

/** So many acceptances that are not recorded yet: the database is slower than the server, or does not take them. */
const maxUnrecorded = 2_000

/** How long a drain may take unless it is told. */
const drainMs = 10_000

/** How often to look at the start of the events without ordering key again. */
const restartMs = 1_000

/** What is not the relay's own: replaced in tests. */
export interface Surroundings {
  readonly random: () => number
  /** Milliseconds, on a clock that only goes forward. */
  readonly monotonic: () => number
  /** How long a statement may take. */
  readonly statementMs: number
}

export const platform: Surroundings = {
  random: Math.random,
  monotonic: () => performance.now(),
  statementMs: 30_000
}

export class Running implements Relay {
  private readonly store: Store
  private readonly database: Database
  private readonly acks: Acks
  private readonly counts = new Counts()
  /** No more claims. */
  private readonly stopping = new Ending()
  /** No more statements. */
  private readonly ending = new Ending()
  private readonly work = new Signal()
  private readonly room = new Signal()
  private readonly queue: Array<Lane> = []
  private readonly active = new Set<Lane>()
  private readonly idle: Array<() => void> = []
  private readonly id: string
  private claimNumber = 0
  private afterKey = ""
  private afterSeq = 0
  /** When events without ordering key were last claimed from the start. */
  private startedAt = -Infinity
  private isChecked = false
  private state: RelayStats["state"] = "running"
  private refusals = 0
  private closures = 0
  /** By the monotonic clock. */
  private closedUntil = 0
  private isProbing = false
  private looping: Promise<void> = Promise.resolve()
  private drained: Promise<boolean> | undefined

  constructor(
    private readonly executor: Executor,
    private readonly client: RelayClient,
    private readonly settings: Settings,
    private readonly surroundings: Surroundings
  ) {
    this.store = new Store(executor, settings)
    this.database = new Database(
      settings.names,
      this.counts,
      settings.onLog,
      surroundings.random,
      surroundings.statementMs
    )
    this.acks = new Acks(
      this.store,
      this.database,
      this.counts,
      this.ending,
      () => this.queue.length > 0,
      (hasRunEnd) => {
        if (hasRunEnd) this.work.notify()
        this.room.notify()
      }
    )
    // Owners must differ between processes, and between the claims of one: a lease that ended and was taken again is another.
    this.id = uuid()
    this.stopping.onEnd(() => {
      this.work.notify()
      this.room.notify()
    })
  }

  /**
   * Begins. Rejects if the tables are not there, or the driver gives values as other types than it should. A database that is
   * away is waited for: then what is wrong is logged when it comes back, and looked at again.
   */
  async start(): Promise<void> {
    try {
      await this.check()
    } catch (error) {
      if (error instanceof SchemaError || error instanceof RowError) throw error
    }
    this.looping = this.loop()
  }

  private async check(): Promise<void> {
    const { prefix, schema } = this.settings.names
    await requireSchema(this.executor, { prefix, schema })
    await this.store.checkTypes()
    this.isChecked = true
  }

  wake(): void {
    this.work.notify()
  }

  stats(): RelayStats {
    return this.counts.snapshot({
      state: this.state,
      inFlight: this.active.size,
      queued: this.queue.reduce((sum, { events }) => sum + events.length, 0),
      gateClosedMs: Math.max(0, Math.round(this.closedUntil - this.surroundings.monotonic()))
    })
  }

  /** Whoever calls it wants the relay to end, whatever the options are. */
  drain(options: { readonly timeoutMs?: number | undefined } = {}): Promise<boolean> {
    let timeoutMs = drainMs
    let wrong: unknown
    try {
      checkNames(options, ["timeoutMs"])
      timeoutMs = whole("timeoutMs", options.timeoutMs, drainMs, 0, 2 ** 31 - 1)
    } catch (error) {
      wrong = error
    }
    this.drained ??= this.drainOnce(timeoutMs)
    return wrong === undefined ? this.drained : this.drained.then(() => Promise.reject(wrong))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }

  private async drainOnce(timeoutMs: number): Promise<boolean> {
    this.state = "draining"
    this.stopping.end()
    const abort = setTimeout(() => {
      for (const { lease } of this.active) lease.abort()
    }, timeoutMs)
    // Whoever aborts still wants to record it.
    const end = setTimeout(() => this.ending.end(), timeoutMs + Math.max(1_000, timeoutMs / 10))
    const over = new Promise<void>((resolve) => this.ending.onEnd(resolve))
    const finish = async (): Promise<void> => {
      await this.looping
      await this.giveBackQueue()
      while (this.active.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve))
      await this.acks.flush()
    }
    // A statement that never ends must not keep the program alive.
    await Promise.race([finish(), over])
    const isComplete = !this.ending.isOver && this.acks.size === 0
    clearTimeout(abort)
    clearTimeout(end)
    this.ending.end()
    this.state = "stopped"
    return isComplete
  }

  private async loop(): Promise<void> {
    const { pollMaxMs, pollMinMs } = this.settings
    let wait = pollMinMs
    if (!this.isChecked) await this.database.run(this.stopping, () => this.check())
    while (!this.stopping.isOver) {
      await this.untilRoom()
      const remaining = this.closedUntil - this.surroundings.monotonic()
      if (remaining > 0) {
        await this.stopping.sleep(Math.min(remaining, 1_000) + this.surroundings.random() * 20)
        continue
      }
      // More of a key may wait for what was accepted: then one claim finds it.
      if (this.acks.hasRunEnd) await this.acks.flush()
      // What happens from now on may be missed by the claim.
      this.work.clear()
      const result = await this.claim()
      if (this.stopping.isOver || result === "more") continue
      if (result === "some") {
        wait = pollMinMs
        continue
      }
      if (await this.lookAtGate()) continue
      await this.work.wait(wait)
      wait = Math.min(2 * wait, pollMaxMs)
    }
  }

  /** While enough is taken there is no claim: a lease should be used, not waited for. */
  private async untilRoom(): Promise<void> {
    // A probe is alone.
    while (!this.stopping.isOver && (this.isFull() || (this.isProbing && this.active.size + this.queue.length > 0))) {
      await this.room.wait(1_000)
    }
  }

  private isFull(): boolean {
    return this.queue.length > this.settings.concurrency / 2 || this.acks.size > maxUnrecorded
  }

  /** `some`: events were taken; `more`: none, but not all keys were looked at; `none`. */
  private async claim(): Promise<"some" | "more" | "none"> {
    const { batch, leaseMs, run, sendTimeoutMs } = this.settings
    const size = this.isProbing ? { lanes: 1, run: 1 } : { lanes: batch, run }
    const owner = `${this.id}-${(++this.claimNumber).toString(36)}`
    const { afterKey } = this
    let before = this.surroundings.monotonic()
    // Now and then from the start: events that failed, or were committed late, must not wait for the end of the backlog. Not each
    // time: what was deleted at the start and is not cleaned up yet takes time to pass.
    const afterSeq = before - this.startedAt > restartMs ? 0 : this.afterSeq
    if (afterSeq === 0) this.startedAt = before
    // One that failed may have taken events all the same: they come back when their lease ends.
    const claimed = await this.database.run(this.stopping, () => {
      before = this.surroundings.monotonic()
      return this.store.claim(owner, afterKey, afterSeq, size)
    })
    if (claimed === undefined) return "none"
    const { nextKey, nextSeq, taken } = claimed
    this.afterKey = nextKey ?? ""
    this.afterSeq = nextSeq === undefined ? 0 : Math.max(this.afterSeq, nextSeq)
    this.counts.claims++
    this.counts.claimed += taken.length
    if (taken.length === 0) {
      this.counts.emptyClaims++
      return afterKey !== "" || afterSeq !== 0 || nextKey !== undefined ? "more" : "none"
    }
    const lease = new Lease(owner, before, before + leaseMs, sendTimeoutMs)
    const lanes = lanesOf(lease, taken)
    lease.begin(lanes.length, this.surroundings.monotonic())
    for (const lane of lanes) this.queue.push(lane)
    this.pump()
    return "some"
  }

  /** Whether the gate is closed. Only asked when nothing could be taken: a claim takes nothing while it is closed. */
  private async lookAtGate(): Promise<boolean> {
    const millis = await this.database.run(this.stopping, () => this.store.gateClosedFor())
    if (millis === undefined || millis === 0) return false
    this.pause(millis)
    return true
  }

  private pause(millis: number): void {
    this.isProbing = true
    // Not all relays at the same moment.
    const until = this.surroundings.monotonic() + millis + this.surroundings.random() * Math.min(millis / 10, 1_000)
    this.closedUntil = Math.max(this.closedUntil, until)
  }

  private get isClosed(): boolean {
    return this.closedUntil > this.surroundings.monotonic()
  }

  private pump(): void {
    if (this.stopping.isOver) return
    while (this.active.size < this.settings.concurrency) {
      const lane = this.queue.shift()
      if (lane === undefined) break
      this.active.add(lane)
      void this.runLane(lane)
    }
    if (!this.isFull()) this.room.notify()
  }

  private laneEnded(lane: Lane): void {
    this.active.delete(lane)
    lane.lease.laneEnded()
    this.pump()
    if (this.active.size === 0) {
      for (const resolve of this.idle.splice(0)) resolve()
      this.room.notify()
    }
  }

  /** Sends the events of a lane in order. Never rejects. */
  private async runLane(lane: Lane): Promise<void> {
    try {
      while (lane.next < lane.events.length) {
        const hasTime = lane.lease.deadline - this.surroundings.monotonic() > this.settings.sendTimeoutMs
        if (this.stopping.isOver || this.isClosed || !hasTime) return await this.giveBack(lane)
        if (!await this.send(lane, lane.events[lane.next++]!)) return
      }
    } catch (error) {
      // The lease ends by itself.
      this.settings.onLog({
        level: "error",
        message: "A defect of the relay. Its events are sent again when their lease ends.",
        fields: { error: String(Object(error).name) }
      })
    } finally {
      this.laneEnded(lane)
    }
  }

  /** Whether the lane may go on. */
  private async send(lane: Lane, taken: Taken): Promise<boolean> {
    const { event } = taken
    if (event instanceof RowError) return await this.giveUp(lane, taken, "row_invalid", event.message)
    const { ambiguousForMs } = taken
    if (ambiguousForMs !== undefined && ambiguousForMs > this.settings.ambiguousWindowMs) {
      return await this.giveUp(
        lane,
        taken,
        "idempotency_window",
        "It may have been accepted, too long ago for the server to know it again. Look there before it is sent again."
      )
    }
    let verdict: Verdict
    try {
      const { replayed } = await this.client.sendEncoded(event, lane.lease.sending)
      this.accepted(lane, taken, replayed)
      return true
    } catch (error) {
      verdict = verdictOf(error)
    }
    switch (verdict.kind) {
      case "accepted":
        this.accepted(lane, taken, false)
        return true
      case "interrupted":
        lane.next--
        // A client that was closed refuses all of them at once.
        if (!this.stopping.isOver) await this.observe(verdict)
        await this.giveBack(lane)
        return false
      case "refused":
        this.answered()
        return await this.giveUp(lane, taken, "refused", verdict.text, verdict)
      case "again":
        return await this.failed(lane, taken, verdict)
    }
  }

  private accepted(lane: Lane, taken: Taken, replayed: boolean): void {
    const { events, lease: { takenAt }, next } = lane
    this.counts.accepted++
    if (replayed) this.counts.replayed++
    this.counts.tookMs(taken.ageMs + this.surroundings.monotonic() - takenAt)
    // More of a key that had more than one: they need not wait for the next look.
    const isRunEnd = next === events.length && taken.orderingKey !== undefined &&
      (events.length > 1 || this.settings.run === 1)
    this.acks.add(taken.seq, isRunEnd)
    this.answered()
  }

  /** The server decides about single events: it is not overloaded. */
  private answered(): void {
    this.refusals = 0
    this.closures = 0
    this.isProbing = false
  }

  private async failed(lane: Lane, taken: Taken, verdict: Verdict): Promise<boolean> {
    const { backoffBaseMs, backoffCapMs, maxAttempts } = this.settings
    await this.observe(verdict)
    // A wrong key, or a server that is not there, is not the fault of the event.
    const isItsOwn = verdict.concerns !== "configuration" && (verdict.concerns !== "connection" || verdict.isAmbiguous)
    if (isItsOwn && taken.attempts >= maxAttempts) {
      return await this.giveUp(lane, taken, "attempts_exhausted", verdict.text, verdict)
    }
    this.counts.failed++
    const ceiling = Math.min(backoffCapMs, backoffBaseMs * 2 ** Math.min(taken.attempts - 1, 30))
    // Not at once, however small the random number: that would be a spin.
    const jitter = Math.max(this.surroundings.random() * ceiling, Math.min(100, backoffBaseMs))
    this.log(taken, "warn", "An attempt failed. It is tried again.", verdict.text, verdict.status)
    await this.record(lane, {
      seq: taken.seq,
      delayMs: Math.round((verdict.retryAfterMs ?? 0) + jitter),
      isAmbiguous: verdict.isAmbiguous,
      status: verdict.status,
      text: verdict.text,
      reason: undefined
    })
    return false
  }

  /**
   * Pauses if the server seems to take nothing. Overload is told to all relays of the destination; a missing connection or a wrong
   * key may be the fault of this program alone.
   */
  private async observe({ concerns, retryAfterMs = 0, status, text }: Verdict): Promise<void> {
    if (concerns === "event") {
      if (status !== undefined) this.answered()
      return
    }
    this.refusals++
    const isEnough = concerns === "configuration" || this.isProbing || this.refusals >= refusalsToClose
    // Others in flight fail for the same reason: they close it once.
    if (!isEnough || this.isClosed) return
    const own = Math.min(maxClosureMs, minClosureMs * 2 ** Math.min(this.closures++, 10))
    const millis = Math.round(Math.max(own, Math.min(retryAfterMs, maxClosureMs)))
    this.pause(millis)
    this.settings.onLog({
      level: concerns === "configuration" ? "error" : "warn",
      message: pauses[concerns],
      fields: { millis, ...(status === undefined ? {} : { status }), reason: text }
    })
    if (concerns === "overload") await this.database.run(this.ending, () => this.store.closeGate(millis, text))
    await this.giveBackQueue()
  }

  /** Parks or buries an event. Whether the lane may go on. */
  private async giveUp(
    lane: Lane,
    taken: Taken,
    reason: ParkReason,
    text: string,
    verdict?: Verdict
  ): Promise<boolean> {
    const stopped: Stopped = {
      seq: taken.seq,
      delayMs: 0,
      isAmbiguous: verdict?.isAmbiguous ?? false,
      status: verdict?.status,
      text: shortText(text),
      reason
    }
    const { skips } = this.settings
    this.log(
      taken,
      "error",
      skips
        ? "An event was moved to the dead letters."
        : taken.orderingKey === undefined
        ? "An event is parked until somebody decides."
        : "An event is parked until somebody decides, and blocks its ordering key.",
      text,
      verdict?.status,
      reason
    )
    if (!skips) {
      if (await this.record(lane, stopped)) this.counts.parked++
      return false
    }
    const isOurs = await this.database.run(this.ending, () => this.store.bury(lane.lease.owner, stopped))
    if (isOurs === true) {
      this.counts.dead++
      return true
    }
    // Another relay has it, and with it its lane.
    this.counts.fenced++
    return false
  }

  /** Writes what stops a lane, and gives the rest back. Whether the event was still ours. */
  private async record(lane: Lane, stopped: Stopped): Promise<boolean> {
    const rest = lane.rest()
    const written = await this.database.run(this.ending, () => this.store.stop(lane.lease.owner, stopped, rest))
    if (written === 0) this.counts.fenced++
    else this.counts.released += rest.length
    return written !== undefined && written > 0
  }

  private async giveBack(lane: Lane): Promise<void> {
    const rest = lane.rest()
    lane.next = lane.events.length
    if (rest.length === 0) return
    const written = await this.database.run(this.ending, () => this.store.stop(lane.lease.owner, undefined, rest))
    this.counts.released += written ?? 0
  }

  private async giveBackQueue(): Promise<void> {
    const owners = new Map<string, Array<number>>()
    for (const lane of this.queue.splice(0)) {
      const seqs = owners.get(lane.lease.owner)
      if (seqs === undefined) owners.set(lane.lease.owner, [...lane.rest()])
      else seqs.push(...lane.rest())
      lane.lease.laneEnded()
    }
    for (const [owner, seqs] of owners) {
      const written = await this.database.run(this.ending, () => this.store.stop(owner, undefined, seqs))
      this.counts.released += written ?? 0
    }
  }

  private log(
    { event, orderingKey, seq }: Taken,
    level: "warn" | "error",
    message: string,
    error: string,
    status?: number,
    reason?: string
  ): void {
    this.settings.onLog({
      level,
      message,
      fields: {
        seq,
        ...(event instanceof RowError ? {} : { idempotencyKey: event.idempotencyKey, topic: event.topic }),
        ...(orderingKey === undefined ? {} : { orderingKey }),
        ...(status === undefined ? {} : { status }),
        ...(reason === undefined ? {} : { reason }),
        error
      }
    })
  }
}

export const startRelayWith = async (options: RelayOptions, surroundings: Surroundings): Promise<Running> => {
  const settings = settingsOf(options)
  const relay = new Running(options.executor, options.client, settings, surroundings)
  await relay.start()
  return relay
}

/**
 * Starts to send what is in the outbox, until `drain`. Several relays may run at the same time, in any number of processes.
 *
 * Rejects with `OutboxConfigError`, `SchemaError` or `RowError`. A database that cannot be reached is waited for.
 *
 * @example
 * import { fromPg, startRelay } from "@hookrail/outbox"
 * import { Hookrail } from "@hookrail/promise"
 * import { Pool } from "pg"
 *
 * const relay = await startRelay({ executor: fromPg(new Pool(), { prepare: true }), client: new Hookrail() })
 * process.once("SIGTERM", () => void relay.drain())
 *
 * @since 0.1.0
 * @category relay
 */
export const startRelay = async (options: RelayOptions): Promise<Relay> => {
  const relay = await startRelayWith(options, platform)
  return {
    wake: () => relay.wake(),
    stats: () => relay.stats(),
    drain: (how) => relay.drain(how),
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose]()
  }
}
