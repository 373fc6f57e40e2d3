import { h, type JSX } from "preact"
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks"
import type { EventSummary } from "../src/control/views.js"
import { clock, headline, leading, lookOf, names } from "./format.js"
import type { Model } from "./model.js"
import { Countdown, exact, sign } from "./parts.js"

/** The height of a line, as in the style sheet. */
const height = 54

/** Lines that are rendered beyond those in sight, on each side. */
const beyond = 6

interface RowProps {
  readonly event: EventSummary
  readonly model: Model
  readonly index: number
  readonly selected: boolean
  readonly onSelect: (id: string) => void
}

const Row = ({ event, index, model, onSelect, selected }: RowProps): JSX.Element => {
  const look = lookOf(event)
  const next = leading(event)?.nextAttemptAt ?? null
  return h(
    "div",
    {
      role: "option",
      id: `event-${event.ordinal}`,
      class: `row${selected ? " selected" : ""}`,
      "aria-selected": selected,
      "aria-posinset": index + 1,
      "aria-setsize": model.total,
      style: { transform: `translateY(${index * height}px)` },
      onClick: () => onSelect(event.id)
    },
    sign(look),
    h(
      "div",
      { class: "what" },
      h(
        "div",
        { class: "line" },
        h("span", { class: "topic" }, exact(event.topic)),
        h("time", { class: "dim" }, clock(event.at, model.now()))
      ),
      h(
        "div",
        { class: "line second" },
        h(
          "span",
          { class: `headline is-${look}` },
          headline(event),
          next === null
            ? null
            : [
              " · next ",
              h(Countdown, {
                key: "next",
                at: next,
                now: () => model.now(),
                real: model.state?.clock !== "manual"
              })
            ]
        ),
        h("span", { class: "preview dim", "aria-hidden": "true" }, exact(event.preview))
      )
    )
  )
}

interface ListProps {
  readonly model: Model
  readonly onOpen: () => void
}

/** The list: only the lines in sight exist, so that its length does not matter. */
export const List = ({ model, onOpen }: ListProps): JSX.Element => {
  const own = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [tall, setTall] = useState(600)
  const first = useRef<number | undefined>(undefined)
  const { items } = model
  const index = model.indexOf(model.selectedId)

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setTall(entry!.contentRect.height))
    observer.observe(own.current!)
    return () => observer.disconnect()
  }, [])

  // Another search begins at its top. Before the effect below: what it finds did not come in on top.
  useLayoutEffect(() => {
    first.current = undefined
    own.current!.scrollTop = 0
  }, [model.search])

  // What came in on top must not move what is being read.
  useLayoutEffect(() => {
    const list = own.current!
    const before = first.current
    first.current = items[0]?.ordinal
    if (before === undefined || list.scrollTop === 0) return
    let added = 0
    while (added < items.length && items[added]!.ordinal > before) added++
    if (added > 0 && added < items.length) list.scrollTop += added * height
  }, [items[0]?.ordinal])

  // The selected line stays in sight when it is moved by keys.
  useLayoutEffect(() => {
    if (index < 0) return
    const list = own.current!
    const at = index * height
    if (at < list.scrollTop) list.scrollTop = at
    else if (at + height > list.scrollTop + list.clientHeight) list.scrollTop = at + height - list.clientHeight
  }, [model.selectedId])

  const select = useCallback((id: string) => {
    model.select(id)
    onOpen()
  }, [model, onOpen])

  const start = Math.max(0, Math.floor(top / height) - beyond)
  const end = Math.min(items.length, Math.ceil((top + tall) / height) + beyond)
  const rows: Array<JSX.Element> = []
  for (let at = start; at < end; at++) {
    const event = items[at]!
    rows.push(h(Row, { key: event.id, event, model, index: at, selected: at === index, onSelect: select }))
  }
  // The active line must exist to be told, even out of sight.
  if (index >= 0 && (index < start || index >= end)) {
    const event = items[index]!
    rows.push(h(Row, { key: event.id, event, model, index, selected: true, onSelect: select }))
  }
  return h(
    "div",
    {
      ref: own,
      id: "events",
      class: "list",
      role: "listbox",
      tabIndex: 0,
      "aria-label": "Events, newest first",
      "aria-activedescendant": index < 0 ? undefined : `event-${items[index]!.ordinal}`,
      onScroll: () => setTop(own.current!.scrollTop)
    },
    h("div", { class: "rows", role: "presentation", style: { height: `${items.length * height}px` } }, rows)
  )
}

const filters: ReadonlyArray<{ readonly label: string; readonly states: ReadonlyArray<string> }> = [
  { label: "All", states: [] },
  { label: "Waiting", states: ["pending", "in_flight"] },
  { label: names.retry_scheduled, states: ["retry_scheduled"] },
  { label: names.succeeded, states: ["succeeded"] },
  { label: names.dead_lettered, states: ["dead_lettered"] },
  { label: "Ended", states: ["cancelled", "skipped"] },
  { label: "Unrouted", states: ["unrouted"] }
]

/** The states to choose from, with how many there are. */
export const Filters = ({ model }: { readonly model: Model }): JSX.Element => {
  const { search, state } = model
  const count = (states: ReadonlyArray<string>): number => {
    if (state === undefined) return 0
    if (states.length === 0) return state.events
    const counts: Readonly<Record<string, number>> = state.eventsBy
    return states.reduce((sum, one) => sum + (counts[one] ?? 0), 0)
  }
  const chosen = search.states.join()
  return h(
    "div",
    { class: "filters", role: "group", "aria-label": "Filter by state" },
    filters.map(({ label, states }) =>
      count(states) === 0 && states.length > 0 && chosen !== states.join() &&
        (label === "Ended" || label === "Unrouted")
        ? null
        : h(
          "button",
          {
            type: "button",
            key: label,
            class: `filter is-${states[0] ?? "all"}`,
            "aria-pressed": chosen === states.join(),
            onClick: () => model.setSearch({ ...search, states: chosen === states.join() ? [] : states })
          },
          label,
          h("span", { class: "count" }, count(states).toLocaleString("en"))
        )
    )
  )
}
