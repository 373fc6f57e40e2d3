import type { Listing } from "../src/control/filter.js"
import type { State } from "../src/control/state.js"
import type { EventSummary, EventView } from "../src/control/views.js"
import { api, CallError, readFeed } from "./api.js"

/** What the list shows: words, and `topic:`, `key:` or `endpoint:` in the search field. */
export interface Search {
  readonly text: string
  readonly states: ReadonlyArray<string>
}

/** Most events that the page holds; a search reaches the others. */
export const maxHeld = 20_000

const pageSize = 1000

const queryOf = ({ states, text }: Search): URLSearchParams => {
  const query = new URLSearchParams()
  const words: Array<string> = []
  for (const word of text.split(/\s+/)) {
    const [, name, value] = /^(topic|key|endpoint):(.+)$/.exec(word) ?? []
    if (name === "topic") query.set("topic", value!)
    else if (name === "key") query.set("orderingKey", value!)
    else if (name === "endpoint") query.set("endpointId", value!)
    else if (word !== "") words.push(word)
  }
  if (words.length > 0) query.set("q", words.slice(0, 16).join(" "))
  if (states.length > 0) query.set("state", states.join(","))
  return query
}

type Item = EventSummary | { readonly id: string; readonly ordinal: number; readonly gone: true }

/** What the page knows. `changed` is called, at most once per frame, after anything has changed. */
export class Model {
  state: State | undefined
  /** Newest first. */
  items: Array<EventSummary> = []
  /** How many match, beyond those held. */
  total = 0
  connection: "connecting" | "live" | "lost" | "denied" = "connecting"
  search: Search = { text: "", states: [] }
  selectedId: string | undefined
  detail: EventView | undefined
  detailError: string | undefined
  problem: string | undefined
  /** Events that came in since the page was opened. */
  arrived = 0
  /** What the list was loaded for: a run of the emulator, and a search. */
  private held = ""
  private clockOffset = 0
  private generation = 0
  private feed: AbortController | undefined
  private frame = 0
  private detailWanted = false
  private detailBusy = false

  constructor(private readonly changed: () => void) {}

  /** The emulator's time now. */
  now(): number {
    return this.state?.clock === "manual" ? this.state.now : Date.now() + this.clockOffset
  }

  get selected(): EventSummary | undefined {
    return this.selectedId === undefined ? undefined : this.items[this.indexOf(this.selectedId)]
  }

  indexOf(id: string | undefined): number {
    return id === undefined ? -1 : this.items.findIndex((event) => event.id === id)
  }

  notify(): void {
    if (this.frame !== 0) return
    this.frame = requestAnimationFrame(() => {
      this.frame = 0
      this.changed()
    })
  }

  takeState(state: State): void {
    this.state = state
    this.clockOffset = state.now - Date.now()
    // What the emulator has dropped.
    let end = this.items.length
    while (end > 0 && this.items[end - 1]!.ordinal < state.firstOrdinal) end--
    if (end < this.items.length) {
      this.total = Math.max(end, this.total - (this.items.length - end))
      this.items = this.items.slice(0, end)
    }
    this.notify()
  }

  /** Puts events into the list, each in its place. */
  private take(items: ReadonlyArray<Item>, live: boolean): void {
    const fresh: Array<EventSummary> = []
    const last = this.items[this.items.length - 1]?.ordinal ?? 0
    for (const item of items) {
      const index = this.place(item.ordinal)
      const known = this.items[index]
      const same = known?.ordinal === item.ordinal
      if ("gone" in item) {
        if (!same) continue
        this.items.splice(index, 1)
        this.total--
      } else if (same) {
        if (item.revision >= known.revision) this.items[index] = item
      } else {
        // One that is older than all that are held is counted already.
        if (live && item.ordinal > last) this.total++
        fresh.push(item)
      }
      if (item.id === this.selectedId) this.loadDetail()
    }
    if (fresh.length > 0) {
      fresh.sort((a, b) => b.ordinal - a.ordinal)
      const newest = this.items[0]?.ordinal ?? 0
      if (live && fresh[fresh.length - 1]!.ordinal > newest) this.items = fresh.concat(this.items)
      else this.items = this.items.concat(fresh).sort((a, b) => b.ordinal - a.ordinal)
      if (live) this.arrived += fresh.filter(({ ordinal }) => ordinal > newest).length
      if (this.items.length > maxHeld) this.items = this.items.slice(0, maxHeld)
    }
    this.notify()
  }

  /** The index of an ordinal, or where it would be. */
  private place(ordinal: number): number {
    let [low, high] = [0, this.items.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.items[middle]!.ordinal > ordinal) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Shows another selection of events. */
  setSearch(search: Search): void {
    this.search = search
    this.notify()
    void this.start()
  }

  /** Loads the list and follows the feed; again after each failure. */
  async start(): Promise<void> {
    const generation = ++this.generation
    this.feed?.abort()
    const stale = (): boolean => generation !== this.generation
    for (let pause = 250;; pause = Math.min(pause * 2, 4000)) {
      try {
        await this.follow(stale)
      } catch (error) {
        if (stale()) return
        if (error instanceof CallError && error.status === 401) {
          this.connection = "denied"
          this.notify()
          return
        }
        if (error instanceof CallError && error.status === 400) {
          this.problem = error.message
          this.items = []
          this.total = 0
          this.notify()
          return
        }
      }
      if (stale()) return
      if (this.connection === "live") pause = 250
      this.connection = "lost"
      this.notify()
      await new Promise((resolve) => setTimeout(resolve, pause))
      if (stale()) return
    }
  }

  private async follow(stale: () => boolean): Promise<void> {
    const query = queryOf(this.search)
    const list = (cursor: string | null): Promise<Listing<EventSummary>> => {
      const page = new URLSearchParams(query)
      page.set("limit", String(pageSize))
      if (cursor !== null) page.set("cursor", cursor)
      return api("GET", `/api/events?${page.toString()}`)
    }
    const [state, first] = await Promise.all([api<State>("GET", "/api/state"), list(null)])
    // After a break, as far down as before at once: where somebody reads must not vanish and come back.
    const held = `${state.run} ${query.toString()}`
    const wanted = Math.min(held === this.held ? this.items.length : 0, maxHeld)
    const items = [...first.items]
    let cursor = first.nextCursor
    while (cursor !== null && items.length < wanted && !stale()) {
      const page = await list(cursor)
      items.push(...page.items)
      cursor = page.nextCursor
    }
    if (stale()) return
    this.held = held
    this.problem = undefined
    this.items = items
    this.total = first.total
    this.connection = "live"
    this.takeState(state)
    if (this.selectedId !== undefined) this.loadDetail()
    const feed = this.feed = new AbortController()
    const search = query.toString()
    const following = readFeed(
      search === "" ? "" : `?${search}`,
      `${state.run}.${first.revision}`,
      feed.signal,
      (kind, _id, data) => {
        if (stale()) return
        if (kind === "state") this.takeState(data as State)
        if (kind === "events") this.take((data as { readonly items: ReadonlyArray<Item> }).items, true)
        // The emulator was started again: what is shown here is of the one before.
        if (kind === "reset") feed.abort()
      }
    )
    const rest = (async () => {
      while (cursor !== null && this.items.length < maxHeld) {
        const page = await list(cursor)
        if (stale() || feed.signal.aborted) return
        this.take(page.items, false)
        cursor = page.nextCursor
      }
    })()
    await Promise.all([following, rest]).finally(() => feed.abort())
  }

  /** Selects an event and loads what there is to know. */
  select(id: string | undefined): void {
    if (id === this.selectedId) return
    this.selectedId = id
    this.detail = undefined
    this.detailError = undefined
    if (id !== undefined) this.loadDetail()
    this.notify()
  }

  /** Loads the selected event; while it is being loaded, once more after that. */
  loadDetail(): void {
    this.detailWanted = true
    if (this.detailBusy) return
    this.detailBusy = true
    void (async () => {
      while (this.detailWanted && this.selectedId !== undefined) {
        this.detailWanted = false
        const id = this.selectedId
        try {
          const detail = await api<EventView>("GET", `/api/events/${id}`)
          if (id === this.selectedId) this.detail = detail
        } catch (error) {
          if (id === this.selectedId) this.detailError = error instanceof Error ? error.message : String(error)
        }
        this.notify()
      }
      this.detailBusy = false
    })()
  }
}
