import type { IncomingMessage, ServerResponse } from "node:http"
import { problem } from "../http/problem.js"
import { encodeJson } from "../http/wire.js"
import type { StoredEvent } from "../store/store.js"
import { filterNames, filterOf } from "./filter.js"
import { queryValues, refuse, wholeNumber } from "./input.js"
import type { Parts } from "./model.js"
import { stateOf } from "./state.js"
import { eventSummary } from "./views.js"

/** Most feeds at the same time. */
const maxFeeds = 16

/** Least time between two messages of a feed, in milliseconds. */
const pauseMs = 100

/** How often a quiet feed shows that it is alive, in milliseconds. */
const heartbeatMs = 15_000

/** Most events in one message. */
const maxEvents = 500

/** 503: too many feeds. */
const tooMany = problem(503, "too many feeds", `at most ${maxFeeds} feeds may be open at the same time`, {
  "Retry-After": "1"
})

interface Subscriber {
  readonly changed: (event: StoredEvent | undefined) => void
}

/**
 * The live feed, as server-sent events. What it sends is not a log but the present state of what has changed, and each event
 * knows the revision of its last change. So it can be resumed from any revision without anything being kept for it, and a
 * slow reader gets fewer messages, not old ones: what has changed meanwhile is kept as a set of events, no larger than the
 * store.
 */
export class Feed {
  private readonly subscribers = new Set<Subscriber>()

  constructor(private readonly parts: Parts, private readonly run: string) {
    parts.core.store.watcher = {
      changed: (event) => {
        for (const subscriber of this.subscribers) subscriber.changed(event)
      }
    }
  }

  /** How many feeds are open. */
  get open(): number {
    return this.subscribers.size
  }

  /** Where to go on: `Last-Event-ID` as a browser sends it, or `since`. `reset` if that was in another run. */
  private start(request: IncomingMessage, since: string | undefined): number | "reset" {
    const id = request.headers["last-event-id"]
    const { revision } = this.parts.core.store
    if (typeof id === "string" && id !== "") {
      const [, run, number] = /^([\w-]{1,32})\.(\d{1,16})$/.exec(id) ?? []
      if (run === undefined) {
        return refuse(400, "invalid input", "Last-Event-ID must be the id of a message of this feed")
      }
      return run === this.run && Number(number) <= revision ? Number(number) : "reset"
    }
    return wholeNumber("since", since, 0, Number.MAX_SAFE_INTEGER) ?? revision
  }

  /** Answers with a feed; it ends when the client goes. Returns a refusal, if there is one. */
  serve(
    request: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
    headers: Readonly<Record<string, string>>
  ): void {
    const { since, ...values } = queryValues(query, [...filterNames, "since"])
    const filter = filterOf(this.parts, values)
    const start = this.start(request, since)
    if (this.subscribers.size >= maxFeeds) {
      response.writeHead(tooMany.status, { ...headers, ...tooMany.headers }).end(tooMany.body)
      return
    }
    const { store } = this.parts.core
    const dirty = new Set<StoredEvent>()
    let timer: NodeJS.Timeout | undefined
    let blocked = false
    let lastFlush = 0

    const message = (kind: string, data: unknown, revision?: number): void => {
      const id = revision === undefined ? "" : `id: ${this.run}.${revision}\n`
      // JSON has no line breaks.
      if (!response.write(`event: ${kind}\n${id}data: ${encodeJson(data)}\n\n`)) blocked = true
    }
    const flush = (): void => {
      timer = undefined
      lastFlush = performance.now()
      message("state", stateOf(this.parts, this.run))
      if (dirty.size > 0) {
        const events = [...dirty].sort((a, b) => a.revision - b.revision).slice(0, maxEvents)
        for (const event of events) dirty.delete(event)
        const items = events.map((event) =>
          store.events.has(event.id) && filter.event(event)
            ? eventSummary(this.parts, event)
            // It does not match, or no longer.
            : { id: event.id, ordinal: event.ordinal, gone: true }
        )
        message("events", { items }, events[events.length - 1]!.revision)
        if (dirty.size > 0) schedule()
      }
    }
    const schedule = (): void => {
      if (timer !== undefined || blocked) return
      timer = setTimeout(flush, Math.max(0, lastFlush + pauseMs - performance.now()))
      timer.unref()
    }
    const heartbeat = setInterval(() => {
      if (!blocked) blocked = !response.write(": alive\n\n")
    }, heartbeatMs)
    heartbeat.unref()
    const subscriber: Subscriber = {
      changed: (event) => {
        if (event !== undefined) dirty.add(event)
        schedule()
      }
    }
    this.subscribers.add(subscriber)
    response.on("drain", () => {
      blocked = false
      schedule()
    })
    response.on("close", () => {
      this.subscribers.delete(subscriber)
      clearInterval(heartbeat)
      clearTimeout(timer)
    })
    response.writeHead(200, { ...headers, "Content-Type": "text/event-stream; charset=utf-8" })
    if (start === "reset") {
      message("reset", { run: this.run, revision: store.revision }, store.revision)
    } else if (start < store.revision) {
      for (const event of store.events.values()) if (event.revision > start) dirty.add(event)
    }
    flush()
  }
}
