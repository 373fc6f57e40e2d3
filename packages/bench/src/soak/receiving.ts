/**
 * The receiving side: genuine deliveries to a webhook handler on `node:http`, next to senders that never finish. Each genuine
 * delivery must be handled once; each slow sender must be answered, or its connection ended, within the time of the handler.
 */
import { signWebhook } from "@hookrail/emulator"
import { createWebhookHandler, type WebhookHandler } from "@hookrail/promise/webhooks"
import { Effect } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises"
import { drawsAt } from "./random.js"
import { sendSlowly, type SlowKind, slowKinds } from "./slowSender.js"

export interface ReceivingOptions {
  readonly seconds: number
  readonly seed: number
  /** How long a delivery may take. */
  readonly timeoutMs: number
}

export interface ReceivingReport {
  readonly deliveries: number
  /** How often each status was the answer to a genuine delivery; or the code of an error. */
  readonly answers: ReadonlyMap<string, number>
  /** The same for the slow senders, by their kind. `ended` is a connection that was ended without an answer. */
  readonly slowAnswers: ReadonlyMap<string, number>
  readonly leftOpen: number
  readonly violations: ReadonlyArray<string>
}

/** What is known of a delivery. */
interface Delivery {
  runs: number
  running: number
  handled: number
}

const secret = "whsec_c29hay1zZWNyZXQtc29hay1zZWNyZXQ="
const topic = "soak.received"
/** The number of a delivery that is never sent completely. */
const incomplete = -1
const slowSenders = 10
/** At most so many deliveries: the handler remembers each one, and the heap is judged. */
const mostDeliveries = 1_000
/** How long a delivery is tried. */
const patienceMs = 30_000
/** How late a busy machine may be. */
const slackMs = 10_000

/** Separates these draws from those of the sends. */
const plans = 0x4ec5

const webhookOf = (n: number) =>
  signWebhook({
    secret,
    topic,
    payload: { n, note: "zoë ".repeat(100) },
    eventId: `event-${n}`,
    deliveryId: `delivery-${n}`
  })

class Receiving {
  private readonly deliveries: Array<Delivery> = []
  private readonly answers = new Map<string, number>()
  private readonly slowAnswers = new Map<string, number>()
  private readonly violations: Array<string> = []
  private readonly agent = new Http.Agent({ keepAlive: true })
  private readonly handler: WebhookHandler
  private readonly server = Http.createServer((request, response) => void this.handler.node(request, response))
  private port = 0

  constructor(private readonly options: ReceivingOptions) {
    this.handler = createWebhookHandler<{ [topic]: { readonly n: number } }>({
      secrets: secret,
      timeout: options.timeoutMs,
      on: { [topic]: ({ payload }) => this.handle(payload.n) },
      log: () => {}
    })
  }

  async run(): Promise<ReceivingReport> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve))
    this.port = (this.server.address() as AddressInfo).port
    const end = performance.now() + this.options.seconds * 1000
    await Promise.all([
      this.deliverUntil(end),
      ...Array.from(
        { length: slowSenders },
        (_, index) => this.sendSlowlyUntil(end, slowKinds[index % slowKinds.length]!)
      )
    ])
    await this.handler.drain()
    this.check()
    await this.checkDrained()
    return {
      deliveries: this.deliveries.length,
      answers: this.answers,
      slowAnswers: this.slowAnswers,
      leftOpen: await this.close(),
      violations: this.violations
    }
  }

  /** The first run of a handler may fail, or take longer than it may: then it goes on after the answer. */
  private async handle(n: number): Promise<void> {
    const delivery = this.deliveries[n]
    if (delivery === undefined) return this.violation(`delivery ${n} was handled, but never sent completely`)
    delivery.runs++
    delivery.running++
    if (delivery.running > 1) this.violation(`delivery ${n} is handled twice at a time`)
    try {
      const isFirst = delivery.runs === 1
      if (isFirst && n % 9 === 3) throw new Error("not now")
      await (isFirst && n % 11 === 4 ? sleep(this.options.timeoutMs * 1.5) : nextTurn())
      delivery.handled++
    } finally {
      delivery.running--
    }
  }

  private async deliverUntil(end: number): Promise<void> {
    const underWay = new Set<Promise<void>>()
    const everyMs = Math.max(50, this.options.seconds * 1000 / mostDeliveries)
    while (performance.now() < end) {
      const delivering = this.deliver(this.deliveries.length).finally(() => underWay.delete(delivering))
      underWay.add(delivering)
      await sleep(everyMs)
    }
    await Promise.all(underWay)
  }

  /** Delivers until it is accepted, as the server does: signed anew each time, with the same ids. */
  private async deliver(n: number): Promise<void> {
    this.deliveries[n] = { runs: 0, running: 0, handled: 0 }
    const draw = drawsAt(this.options.seed, plans, n)
    const end = performance.now() + patienceMs
    while (performance.now() < end) {
      const isSlow = draw() < 0.15
      const copies = draw() < 0.2 ? 2 : 1
      const posts = await Promise.all(Array.from({ length: copies }, () => this.post(n, isSlow)))
      if (posts.some((answer) => answer.startsWith("2"))) {
        // Repeated although it was accepted: the answer may have been lost.
        if (draw() < 0.1) await this.post(n, false)
        return
      }
      await sleep(this.options.timeoutMs / 5)
    }
    this.violation(`delivery ${n} was not accepted`)
  }

  /** One attempt. If it is slow, it pauses within the body, but still comes in time. */
  private async post(n: number, isSlow: boolean): Promise<string> {
    const { body, headers } = webhookOf(n)
    const bytes = Buffer.from(body)
    const answer = await new Promise<string>((resolve) => {
      const request = Http.request({ agent: this.agent, port: this.port, host: "127.0.0.1", method: "POST", headers })
      request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      request.on("response", (response) => {
        response.on("error", () => {}).resume()
        resolve(String(response.statusCode))
      })
      const half = isSlow ? bytes.length >> 1 : 0
      if (isSlow) request.write(bytes.subarray(0, half))
      setTimeout(() => request.end(bytes.subarray(half)), isSlow ? this.options.timeoutMs / 5 : 0)
    })
    count(this.answers, answer)
    return answer
  }

  private async sendSlowlyUntil(end: number, kind: SlowKind): Promise<void> {
    const { timeoutMs } = this.options
    while (performance.now() < end) {
      const start = performance.now()
      const answer = await sendSlowly(this.port, webhookOf(incomplete), kind, timeoutMs, timeoutMs + slackMs)
      count(this.slowAnswers, `${kind}: ${answer}`)
      if (answer === "held" || answer.startsWith("2")) {
        this.violation(`a slow sender (${kind}) was ${answer} after ${Math.round(performance.now() - start)} ms`)
      }
      await sleep(timeoutMs / 2)
    }
  }

  private check(): void {
    for (const [n, { handled, running }] of this.deliveries.entries()) {
      if (handled !== 1) this.violation(`delivery ${n} was handled ${handled} times`)
      if (running > 0) this.violation(`delivery ${n} is still being handled after the drain`)
    }
  }

  /** What comes after the drain has to come again, to another process. */
  private async checkDrained(): Promise<void> {
    const n = this.deliveries.length
    const answer = await this.post(n, false)
    if (answer !== "503") this.violation(`a delivery after the drain was answered ${answer}`)
  }

  /** Returns how many connections stay open. */
  private async close(): Promise<number> {
    this.agent.destroy()
    const end = performance.now() + slackMs
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    const open = () =>
      new Promise<number>((resolve) => this.server.getConnections((_, connections) => resolve(connections)))
    let left = await open()
    for (; left > 0 && performance.now() < end; left = await open()) await sleep(10)
    this.server.closeAllConnections()
    await closed
    if (left > 0) this.violation(`${left} connections to the receiver were left open`)
    return left
  }

  private violation(what: string): void {
    this.violations.push(`receiving: ${what}`)
  }
}

const count = (counts: Map<string, number>, what: string): void => {
  counts.set(what, (counts.get(what) ?? 0) + 1)
}

export const receiving = (options: ReceivingOptions): Effect.Effect<ReceivingReport> =>
  Effect.promise(() => new Receiving(options).run())
