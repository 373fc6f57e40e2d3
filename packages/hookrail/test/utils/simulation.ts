/**
 * Senders, a gate's pace and a server in virtual time, without Effect: what the arithmetic does, for loads that would take
 * minutes otherwise.
 */
import { type Backoff, nextDelay } from "../../src/call/backoff.js"
import type { State } from "../../src/gate/model.js"
import { defaults, Pace } from "../../src/gate/pace.js"

/** What a server says to a request that comes at a time, in milliseconds. */
export interface Reply {
  readonly status: 202 | 429 | 503
  readonly retryAfter?: number
  /** What it takes to serve it, beyond the way there and back. */
  readonly millis?: number
}

export type Server = (now: number, event: number) => Reply

export type Random = () => number

/** A small generator of numbers in [0, 1) that repeats itself. */
export const seeded = (seed: number): Random => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

export interface Load {
  readonly server: Server
  readonly gate: "gate" | "none"
  /** Events that are there at the beginning, sent by so many senders one after another each. */
  readonly senders: number
  readonly eventsPerSender: number
  /** No sender begins another event after so many milliseconds. */
  readonly until?: number
  /** One way, in milliseconds: drawn between these for each request. */
  readonly latency?: readonly [number, number]
  readonly retry?: Partial<Backoff>
  readonly seed: number
}

export interface Outcome {
  readonly requests: number
  readonly accepted: number
  readonly lost: number
  /** When the last call ended. */
  readonly makespan: number
  /** When each accepted event was answered, in order. */
  readonly times: ReadonlyArray<number>
  /** What the pace came to, each time it changed. */
  readonly states: ReadonlyArray<Step>
}

export interface Step {
  readonly at: number
  readonly state: State
  readonly rate: number
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly fire: () => void
}

/** A heap of timers, by time and then in the order they were set. */
class Timers {
  now = 0
  private readonly heap: Array<Timer> = []
  private set = 0

  after(millis: number, fire: () => void): void {
    const { heap } = this
    const timer = { at: this.now + millis, order: this.set++, fire }
    let index = heap.length
    heap.push(timer)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(timer, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = timer
  }

  next(): boolean {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined) return false
    if (heap.length > 0) {
      let index = 0
      for (;;) {
        let child = 2 * index + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
        if (!isBefore(heap[child]!, last)) break
        heap[index] = heap[child]!
        index = child
      }
      heap[index] = last
    }
    this.now = first.at
    first.fire()
    return true
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

interface Call {
  readonly event: number
  readonly start: number
  readonly sender: number
  retries: number
}

/** A queue whose front moves: `shift` of a long array copies it. */
class Line {
  private items: Array<Call> = []
  private front = 0
  get first(): Call | undefined {
    return this.items[this.front]
  }
  add(call: Call): void {
    this.items.push(call)
  }
  take(): void {
    if (++this.front > 1_000) {
      this.items = this.items.slice(this.front)
      this.front = 0
    }
  }
}

const standard: Backoff = { maxRetries: 3, base: 200, cap: 10_000, maxElapsed: 60_000, respectRetryAfter: true }

export const simulate = (load: Load): Outcome => {
  const { eventsPerSender, gate, latency = [1, 5], senders, server, until = Infinity } = load
  const policy = { ...standard, ...load.retry }
  const random = seeded(load.seed)
  const timers = new Timers()
  const pace = new Pace(defaults.maxPause)
  const left = Array.from({ length: senders }, () => eventsPerSender)
  const times: Array<number> = []
  const states: Array<Step> = []
  const retries = new Line()
  const newcomers = new Line()
  let inFlight = 0
  let requests = 0
  let lost = 0
  let makespan = 0
  let event = 0
  let era = 0
  let isTimed = false

  const travel = () => latency[0] + random() * (latency[1] - latency[0])

  const begin = (sender: number): void => {
    if (left[sender] === 0 || timers.now >= until) return
    left[sender]!--
    newcomers.add({ event: event++, start: timers.now, sender, retries: 0 })
  }

  const end = (call: Call): void => {
    makespan = timers.now
    begin(call.sender)
  }

  const pump = (): void => {
    // Without a gate the sockets are the limit.
    while (inFlight < (gate === "gate" ? pace.room(defaults.maxInFlight) : defaults.maxInFlight)) {
      const [first, second] = pace.state === "probing" ? [newcomers, retries] : [retries, newcomers]
      const line = first.first === undefined ? second : first
      const call = line.first
      if (call === undefined) return
      if (gate === "gate") {
        const delay = pace.delay(timers.now)
        if (delay > 0) {
          if (!isTimed) {
            isTimed = true
            timers.after(Math.ceil(delay), () => {
              isTimed = false
              pump()
            })
          }
          return
        }
        pace.start(timers.now)
      }
      line.take()
      run(call)
    }
  }

  const note = (): void => {
    if (era === pace.era) return
    era = pace.era
    states.push({ at: timers.now, state: pace.state, rate: pace.rate })
  }

  const run = (call: Call): void => {
    inFlight++
    requests++
    const { era } = pace
    timers.after(travel(), () => {
      const reply = server(timers.now, call.event)
      timers.after(travel() + (reply.millis ?? 0), () => {
        inFlight--
        const isOverload = reply.status !== 202
        if (gate === "gate") {
          if (isOverload) pace.overloaded(timers.now, era, reply.status, reply.retryAfter ?? 0)
          else if (pace.answered(era)) pace.look(timers.now)
          note()
        }
        if (!isOverload) {
          times.push(timers.now)
          end(call)
        } else {
          const delay = nextDelay(policy, {
            retries: call.retries++,
            elapsed: timers.now - call.start,
            retryAfter: reply.retryAfter,
            random: random()
          })
          if (delay === undefined) {
            lost++
            end(call)
          } else {
            timers.after(delay, () => {
              retries.add(call)
              pump()
            })
          }
        }
        pump()
      })
    })
  }

  for (let sender = 0; sender < senders; sender++) begin(sender)
  pump()
  while (timers.next());
  return { requests, accepted: times.length, lost, makespan, times, states }
}

// servers ------------------------------------------------------------------------------------------------------------

/** Accepts all, but for a share of the answers, drawn at random. */
export const scattered = (share: number, seed: number): Server => {
  const random = seeded(seed)
  return () => ({ status: random() < share ? 503 : 202 })
}

export const fixedWindow = (limit: number, offset = 0): Server => {
  let window = -1
  let count = 0
  return (now) => {
    const current = Math.floor((now + offset) / 1_000)
    if (current !== window) [window, count] = [current, 0]
    return { status: ++count <= limit ? 202 : 429 }
  }
}

export const tokenBucket = (limit: number, burst = limit): Server => {
  let tokens = burst
  let last = 0
  return (now) => {
    tokens = Math.min(burst, tokens + (now - last) * limit / 1_000)
    last = now
    if (tokens < 1) return { status: 429 }
    tokens--
    return { status: 202 }
  }
}

/** Works off so many per second, keeps a queue of so many milliseconds, and sheds the rest with 503. */
export const loadShedder = (limit: number, queue = 100): Server => {
  let busyUntil = 0
  return (now) => {
    const waiting = Math.max(0, busyUntil - now)
    if (waiting > queue) return { status: 503 }
    busyUntil = Math.max(busyUntil, now) + 1_000 / limit
    return { status: 202, millis: busyUntil - now }
  }
}

export const outage = (from: number, until: number, server: Server = () => ({ status: 202 })): Server => (now, event) =>
  now >= from && now < until ? { status: 503 } : server(now, event)
