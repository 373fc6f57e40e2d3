import { h, type JSX, render, type TargetedEvent } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { SendView } from "../src/control/send.js"
import type { AttemptView, DeliveryView, EventView } from "../src/control/views.js"
import { api, takeToken } from "./api.js"
import { type Actions, Details } from "./details.js"
import { CompareDialog, type DialogContext, FailDialog, HelpDialog, ReceiversDialog, SendDialog } from "./dialogs.js"
import { plural, span } from "./format.js"
import { Filters, List } from "./list.js"
import { maxHeld, Model } from "./model.js"
import { Button, Copy, icon } from "./parts.js"

type Open =
  | { readonly kind: "send"; readonly from?: EventView }
  | { readonly kind: "fail" | "receivers" | "help" }
  | { readonly kind: "compare"; readonly delivery: DeliveryView; readonly attempt: AttemptView }

const themes = ["auto", "light", "dark"] as const
type Theme = (typeof themes)[number]

const remembered = (name: string, fallback: string): string => {
  try {
    return localStorage.getItem(name) ?? fallback
  } catch {
    return fallback
  }
}

const remember = (name: string, value: string): void => {
  try {
    localStorage.setItem(name, value)
  } catch {
    // It is forgotten with the tab.
  }
}

const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** What to do first, in one command. */
const FirstEvent = (
  { model, onReceivers, onSend }: {
    readonly model: Model
    readonly onReceivers: () => void
    readonly onSend: () => void
  }
): JSX.Element => {
  const [key, setKey] = useState("")
  useEffect(() => {
    api<{ readonly apiKey: string }>("POST", "/api/reveal-api-key").then(({ apiKey }) => setKey(apiKey), () => {})
  }, [])
  const body = "{\"topic\":\"orders.created\",\"payload\":{\"order_id\":\"o_1\"}}"
  const command = `curl ${model.state?.url ?? ""}/v1/events -H ${shellQuote(`Authorization: Bearer ${key}`)} -d ${
    shellQuote(body)
  }`
  const receivers = model.state?.subscriptions.filter(({ deleted }) => !deleted).length ?? 0
  return h(
    "section",
    { class: "first", "aria-label": "No events yet" },
    h("span", { class: "mark" }, icon("hook")),
    h("h2", null, "Waiting for the first event"),
    h("p", { class: "dim" }, "Send one from a terminal, and watch it arrive:"),
    h(
      "div",
      { class: "command" },
      h("pre", { tabIndex: 0, role: "region", "aria-label": "Command" }, command),
      h(Copy, { label: "Copy the command", text: command })
    ),
    h(
      "div",
      { class: "buttons" },
      h(Button, { kind: "primary", onClick: onSend, keys: "n" }, "Send one from here"),
      receivers === 0 ? h(Button, { onClick: onReceivers, keys: "v" }, "Add a receiver") : null
    ),
    receivers === 0
      ? h("p", { class: "dim" }, "There is no receiver yet: events would be accepted and go nowhere.")
      : h("p", { class: "dim" }, `${plural(receivers, "subscription")} will get it.`)
  )
}

const App = ({ model }: { readonly model: Model }): JSX.Element => {
  const [, setVersion] = useState(0)
  const [open, setOpen] = useState<Open>()
  const [reading, setReading] = useState(false)
  const [theme, setTheme] = useState(remembered("theme", "auto") as Theme)
  const [shortcuts, setShortcuts] = useState(remembered("shortcuts", "on") === "on")
  const [said, setSaid] = useState<{ readonly text: string; readonly bad: boolean }>()
  const [announced, setAnnounced] = useState("")
  const search = useRef<HTMLInputElement>(null)
  const typing = useRef(0)
  const [text, setText] = useState(model.search.text)

  useEffect(() => {
    subscribe(() => setVersion((version) => version + 1))
    void model.start()
  }, [model])

  useEffect(() => {
    document.documentElement.dataset["theme"] = theme
    remember("theme", theme)
  }, [theme])

  // New events are told in sums, not one by one: a screen reader would never end.
  useEffect(() => {
    let told = 0
    const timer = setInterval(() => {
      if (model.arrived === told) return
      setAnnounced(`${plural(model.arrived - told, "new event")}`)
      told = model.arrived
    }, 4000)
    return () => clearInterval(timer)
  }, [model])

  useEffect(() => {
    if (said === undefined) return
    const timer = setTimeout(() => setSaid(undefined), said.bad ? 10_000 : 4000)
    return () => clearTimeout(timer)
  }, [said])

  const say = (text: string, bad = false): void => setSaid({ text, bad })
  const act = (what: string, run: () => Promise<unknown>): void => {
    run().then(
      () => {
        say(what)
        if (model.selectedId !== undefined) model.loadDetail()
      },
      (error: unknown) => say(error instanceof Error ? error.message : String(error), true)
    )
  }
  const close = (): void => setOpen(undefined)
  const context: DialogContext = { model, close, say, act }
  const focusList = (): void => document.getElementById("events")?.focus()

  /** Shows the event that was just sent. */
  const jump = (result: SendView): void => {
    if (result.eventId === null) {
      const { answer, failure } = result
      return say(answer === null ? `No answer: ${failure}` : `The server answered ${answer.status}`, true)
    }
    model.select(result.eventId)
    say(result.replayed ? "Accepted before, under the same idempotency key" : "Sent and accepted")
  }
  const resend = (event: EventView): void => {
    api<SendView>("POST", `/api/events/${event.id}/resend`).then(jump, (error: unknown) => say(String(error), true))
  }
  const replay = (delivery: DeliveryView): void =>
    act("Replayed from attempt 1", () => api("POST", `/api/deliveries/${delivery.id}/replay`))
  const actions: Actions = {
    resend,
    replay,
    edit: (event) => setOpen({ kind: "send", from: event }),
    skip: (delivery) => act("Skipped", () => api("POST", `/api/deliveries/${delivery.id}/skip`)),
    retryNow: (delivery) => act("Sent without waiting", () => api("POST", `/api/deliveries/${delivery.id}/retry-now`)),
    rotate: (endpointId, url) =>
      act(`New secret for ${url}; Receivers shows it`, () => api("POST", `/api/endpoints/${endpointId}/rotate-secret`)),
    compare: (delivery, attempt) => setOpen({ kind: "compare", delivery, attempt }),
    close: () => {
      setReading(false)
      focusList()
    }
  }
  const { state } = model
  const pause = (): void =>
    act(
      state?.paused === true ? "Deliveries go on" : "Deliveries are paused",
      () => api("POST", state?.paused === true ? "/api/resume" : "/api/pause")
    )
  const advance = (body: object): void => act("The clock was moved", () => api("POST", "/api/clock/advance", body))
  const nextTheme = (): void => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length]!)

  const move = (to: number): void => {
    const event = model.items[Math.max(0, Math.min(model.items.length - 1, to))]
    if (event !== undefined) model.select(event.id)
  }

  const searchFor = (text: string): void => {
    setText(text)
    clearTimeout(typing.current)
    typing.current = window.setTimeout(() => model.setSearch({ ...model.search, text }), 150)
  }

  const onKey = (event: KeyboardEvent): void => {
    if (open !== undefined || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    const target = event.target as HTMLElement
    const field = target.matches("input, textarea, select")
    if (event.key === "Escape") {
      if (field && text !== "") searchFor("")
      else {
        setReading(false)
        focusList()
      }
      return
    }
    if (field) {
      if (event.key === "ArrowDown" || event.key === "Enter") {
        event.preventDefault()
        focusList()
        if (model.selectedId === undefined) move(0)
      }
      return
    }
    const inList = target.id === "events" || target === document.body
    const index = model.indexOf(model.selectedId)
    const detail = model.detail
    const run: Record<string, () => void> = {
      j: () => move(index + 1),
      k: () => move(index < 0 ? 0 : index - 1),
      g: () => move(0),
      G: () => move(model.items.length - 1),
      "/": () => search.current?.focus(),
      "?": () => setOpen({ kind: "help" }),
      n: () => setOpen({ kind: "send" }),
      e: () => detail !== undefined && setOpen({ kind: "send", from: detail }),
      s: () => detail !== undefined && resend(detail),
      r: () => {
        for (const delivery of detail?.deliveryViews ?? []) if (delivery.can.replay) replay(delivery)
      },
      f: () => setOpen({ kind: "fail" }),
      p: pause,
      a: () => advance({ to: "next-attempt" }),
      v: () => setOpen({ kind: "receivers" }),
      t: nextTheme
    }
    const arrows: Record<string, () => void> = {
      ArrowDown: () => move(index + 1),
      ArrowUp: () => move(index < 0 ? 0 : index - 1),
      Home: () => move(0),
      End: () => move(model.items.length - 1),
      PageDown: () => move(index + 10),
      PageUp: () => move(index - 10),
      Enter: () => {
        if (index < 0) return
        setReading(true)
        // Once the details are shown, also on a narrow screen.
        requestAnimationFrame(() => document.getElementById("details")?.focus())
      }
    }
    const chosen = (inList ? arrows[event.key] : undefined) ??
      (shortcuts || event.key === "?" ? run[event.key] : undefined)
    if (chosen === undefined) return
    event.preventDefault()
    chosen()
  }

  // By the latest render: an effect of each would run later, and lose a key pressed meanwhile.
  const latest = useRef(onKey)
  latest.current = onKey
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => latest.current(event)
    document.addEventListener("keydown", listen)
    return () => document.removeEventListener("keydown", listen)
  }, [])

  if (model.connection === "denied") {
    return h(
      "main",
      { class: "denied" },
      h("span", { class: "mark" }, icon("hook")),
      h("h1", null, "This page needs its token"),
      h(
        "p",
        null,
        "Open the URL that the emulator printed when it started: ",
        h("code", null, `${location.origin}/#token=…`)
      ),
      h("p", { class: "dim" }, "The token is another one after each start, unless you set it.")
    )
  }

  const connection =
    { connecting: "Connecting", live: "Live", lost: "Not connected, trying again", denied: "" }[model.connection]
  const active = (state?.faults ?? []).filter(({ hits, rule }) => rule.times === undefined || hits < rule.times)
  const searching = model.search.text !== "" || model.search.states.length > 0
  const dialog = open === undefined
    ? null
    : open.kind === "send"
    ? h(SendDialog, {
      ...context,
      from: open.from,
      onSent: (result) => {
        close()
        jump(result)
      }
    })
    : open.kind === "fail"
    ? h(FailDialog, context)
    : open.kind === "receivers"
    ? h(ReceiversDialog, context)
    : open.kind === "compare"
    ? h(CompareDialog, { ...context, delivery: open.delivery, attempt: open.attempt })
    : h(HelpDialog, {
      close,
      shortcuts,
      onShortcuts: (on) => {
        setShortcuts(on)
        remember("shortcuts", on ? "on" : "off")
      }
    })

  return h(
    "div",
    { class: `app${reading && model.selectedId !== undefined ? " reading" : ""}` },
    h(
      "header",
      { class: "bar" },
      h("h1", null, icon("hook"), "Hookrail", h("span", { class: "dim" }, "emulator")),
      h("span", { class: `connection ${model.connection}` }, connection),
      h("span", { class: "grow" }),
      state?.clock !== "manual" ? null : h(
        "div",
        { class: "clock", role: "group", "aria-label": "Manual clock" },
        h(
          "time",
          null,
          new Date(state.now).toISOString().replace("T", " ").slice(0, 19),
          h("span", { class: "dim" }, " UTC")
        ),
        h(
          Button,
          {
            onClick: () => advance({ to: "next-attempt" }),
            disabled: state.nextAttemptAt === null,
            title: "Advance the clock to the next attempt",
            keys: "a"
          },
          state.nextAttemptAt === null
            ? "Next attempt"
            : `Next attempt, +${span(Math.max(0, state.nextAttemptAt - state.now))}`
        ),
        h(Button, { onClick: () => advance({ ms: 60_000 }) }, "+1 min"),
        h(Button, { onClick: () => advance({ ms: 3_600_000 }) }, "+1 h")
      ),
      h(Button, { onClick: () => setOpen({ kind: "receivers" }), keys: "v" }, "Receivers"),
      h(
        Button,
        { onClick: () => setOpen({ kind: "fail" }), title: "Fail the next deliveries or sends", keys: "f" },
        icon("bolt"),
        "Fail next"
      ),
      h(
        Button,
        { onClick: pause, pressed: state?.paused === true, title: "Hold all deliveries", keys: "p" },
        icon(state?.paused === true ? "play" : "pause"),
        state?.paused === true ? "Resume" : "Pause"
      ),
      h(
        Button,
        { kind: "primary", onClick: () => setOpen({ kind: "send" }), title: "Send an event", keys: "n" },
        icon("send"),
        "Send"
      ),
      h(Button, {
        kind: "quiet",
        onClick: nextTheme,
        label: `Theme: ${theme}`,
        title: "Light, dark, or as the system",
        keys: "t"
      }, icon(theme === "light" ? "sun" : theme === "dark" ? "moon" : "auto")),
      h(
        Button,
        { kind: "quiet", onClick: () => setOpen({ kind: "help" }), label: "Keys", title: "Keys", keys: "?" },
        "?"
      )
    ),
    state !== undefined && (state.paused || state.database !== "up" || state.redis !== "up" || active.length > 0)
      ? h(
        "section",
        { class: "notices", "aria-label": "Notices" },
        state.paused ? h("span", { class: "notice" }, "Deliveries are paused") : null,
        state.database === "up"
          ? null
          : h(
            "span",
            { class: "notice" },
            `Database: ${state.database}`,
            h(Button, {
              kind: "quiet",
              onClick: () => act("The database is up", () => api("PATCH", "/api/surroundings", { database: "up" }))
            }, "Bring it up")
          ),
        state.redis === "up"
          ? null
          : h(
            "span",
            { class: "notice" },
            "Redis: down",
            h(Button, {
              kind: "quiet",
              onClick: () => act("Redis is up", () => api("PATCH", "/api/surroundings", { redis: "up" }))
            }, "Bring it up")
          ),
        active.map(({ hits, id, rule }) =>
          h(
            "span",
            { key: id, class: "notice" },
            `${rule.on ?? "ingest"}: ${rule.kind}${
              "status" in rule && rule.status !== undefined ? ` ${rule.status}` : ""
            }, ${rule.times === undefined ? "always" : `${plural(rule.times - hits, "more time")}`}`,
            h(Button, {
              kind: "quiet",
              label: "Remove this fault",
              onClick: () => act("Fault removed", () => api("DELETE", `/api/faults/${id}`))
            }, icon("close"))
          )
        )
      )
      : null,
    h(
      "main",
      null,
      state !== undefined && state.events === 0 && !searching && model.connection === "live"
        ? h(FirstEvent, {
          model,
          onSend: () => setOpen({ kind: "send" }),
          onReceivers: () => setOpen({ kind: "receivers" })
        })
        : [
          h(
            "section",
            { key: "side", class: "side", "aria-label": "Events" },
            h(
              "div",
              { class: "tools" },
              h(
                "label",
                { class: "search" },
                icon("search"),
                h("span", { class: "unseen" }, "Search events"),
                h("input", {
                  ref: search,
                  type: "search",
                  value: text,
                  placeholder: "Search, or topic:orders.*",
                  spellcheck: false,
                  autocomplete: "off",
                  "aria-keyshortcuts": "/",
                  onInput: (event: TargetedEvent<HTMLInputElement>) => searchFor(event.currentTarget.value)
                }),
                h("kbd", { "aria-hidden": "true" }, "/")
              ),
              h(Filters, { model })
            ),
            h(List, { model, onOpen: () => setReading(true) }),
            h(
              "footer",
              { class: "dim" },
              model.problem !== undefined
                ? h("span", { role: "alert" }, model.problem)
                : model.total === 0
                ? searching ? "Nothing matches." : "No events."
                : `${model.total.toLocaleString("en")} ${model.total === 1 ? "event" : "events"}${
                  model.total > maxHeld
                    ? `; the newest ${maxHeld.toLocaleString("en")} are listed, a search reaches all`
                    : ""
                }`
            )
          ),
          h(Details, { key: "details", model, actions })
        ]
    ),
    h("div", { class: "unseen", role: "status" }, announced),
    h(
      "div",
      { class: "toasts", role: "status" },
      said === undefined ? null : h("p", { class: said.bad ? "toast bad" : "toast" }, said.text)
    ),
    dialog
  )
}

let listener: () => void = () => {}
const subscribe = (next: () => void): void => {
  listener = next
}

takeToken()
render(h(App, { model: new Model(() => listener()) }), document.getElementById("app")!)
