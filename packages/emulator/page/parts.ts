/** Small pieces that the others are made of. */
import { type ComponentChildren, h, type JSX } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { BytesView } from "../src/control/views.js"
import { bytes, countdown, type Look, names } from "./format.js"

const paths: Readonly<Record<string, string>> = {
  succeeded: "M3.5 8.5l3 3 6-7",
  dead_lettered: "M4.5 4.5l7 7m0-7l-7 7",
  retry_scheduled: "M12.5 8a4.5 4.5 0 1 1-1.4-3.2M12.6 2.6v2.7H9.9",
  in_flight: "M3 8h9m-3.5-3.5L12 8l-3.5 3.5",
  pending: "M8 4.6V8l2.2 1.6M13 8A5 5 0 1 1 3 8a5 5 0 0 1 10 0z",
  cancelled: "M4 8h8",
  skipped: "M4 4.5L8 8l-4 3.5m5-7v7",
  unrouted: "M8 5v4m0 2.2v.1M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0z",
  copy: "M6 6V3.5h6.5V10H10M3.5 6H10v6.5H3.5z",
  sun:
    "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1.5v1.4m0 10.2v1.4M1.5 8h1.4m10.2 0h1.4M3.4 3.4l1 1m7.2 7.2l1 1m0-9.2l-1 1m-7.2 7.2l-1 1",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3 5.4 5.4 0 1 0 13 9.6z",
  auto: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 1 1 0 11",
  pause: "M5.5 4v8m5-8v8",
  play: "M5 3.5l7.5 4.5L5 12.5z",
  search: "M7 2.8a4.2 4.2 0 1 1 0 8.4 4.2 4.2 0 0 1 0-8.4zM10.2 10.2l3 3",
  close: "M4 4l8 8m0-8l-8 8",
  back: "M10 3.5L5.5 8l4.5 4.5",
  bolt: "M9 2L4 9h3.5L7 14l5-7H8.5z",
  send: "M2.5 8L13.5 3 10 13.5 7.5 9z",
  hook: "M5 2.5v11M11 2.5v11M5 8h6"
}

export const icon = (name: string): JSX.Element =>
  h(
    "svg",
    { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" },
    h("path", {
      d: paths[name] ?? "",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.5,
      "stroke-linecap": "round",
      "stroke-linejoin": "round"
    })
  )

/** The sign of a state: colour and shape, with its name for those who see neither. */
export const sign = (look: Look): JSX.Element =>
  h("span", { class: `sign is-${look}`, title: names[look] }, icon(look), h("span", { class: "unseen" }, names[look]))

/** A state with its name. */
export const badge = (look: Look): JSX.Element => h("span", { class: `badge is-${look}` }, icon(look), names[look])

interface ButtonProps {
  readonly onClick: () => void
  readonly children?: ComponentChildren
  readonly kind?: "primary" | "plain" | "quiet"
  readonly title?: string | undefined
  readonly label?: string | undefined
  readonly pressed?: boolean
  readonly disabled?: boolean
  readonly keys?: string | undefined
}

export const Button = (
  { children, disabled, keys, kind = "plain", label, onClick, pressed, title }: ButtonProps
): JSX.Element =>
  h("button", {
    type: "button",
    class: `button ${kind}`,
    onClick,
    disabled,
    title: title === undefined ? undefined : keys === undefined ? title : `${title} (${keys})`,
    "aria-label": label,
    "aria-pressed": pressed,
    "aria-keyshortcuts": keys
  }, children)

/** Copies a text, and says so. */
export const Copy = ({ label, text }: { readonly label: string; readonly text: string }): JSX.Element => {
  const [done, setDone] = useState(false)
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(() => {
      setDone(true)
      setTimeout(() => setDone(false), 1500)
    }, () => {})
  }
  return h(
    Button,
    { kind: "quiet", onClick: copy, label: done ? "Copied" : label, title: label },
    icon(done ? "succeeded" : "copy")
  )
}

/** Renders again while something on it depends on the time. */
export const useTicks = (on: boolean, everyMs = 500): void => {
  const [, setTick] = useState(0)
  useEffect(() => {
    if (!on) return
    const timer = setInterval(() => setTick((tick) => tick + 1), everyMs)
    return () => clearInterval(timer)
  }, [on, everyMs])
}

/** What is left until a time of the emulator's clock. */
export const Countdown = (
  { at, now, real }: { readonly at: number; readonly now: () => number; readonly real: boolean }
): JSX.Element => {
  useTicks(real)
  return h("span", { class: "countdown" }, countdown(at - now()))
}

/** Characters that are invisible or that turn the direction of the text, which would hide what is really there. */
const invisible = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

const codePoint = (character: string): string =>
  `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`

/** A text as it is, with what is invisible in it made visible. */
export const exact = (text: string): ComponentChildren => {
  if (!invisible.test(text)) return text
  return text.split(new RegExp(`(${invisible.source})`)).map((part) =>
    part.length === 1 && invisible.test(part) ? h("mark", { class: "invisible" }, codePoint(part)) : part
  )
}

/** The beginning of bytes that are no text. */
const hexDump = (base64: string): string => {
  const binary = atob(base64.slice(0, 5464))
  const lines: Array<string> = []
  for (let at = 0; at < Math.min(binary.length, 4096); at += 16) {
    const row = binary.slice(at, at + 16)
    const hex = Array.from(row, (one) => one.charCodeAt(0).toString(16).padStart(2, "0")).join(" ")
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${row.replace(/[^\x20-\x7e]/g, ".")}`)
  }
  return lines.join("\n")
}

export const textOf = (view: BytesView): string => "text" in view ? view.text : hexDump(view.base64)

interface BytesProps {
  readonly title: string
  /** The title for those who do not see what stands beside it. */
  readonly label?: string
  readonly view: BytesView
  /** The part of the text that the other side shows as well. */
  readonly part?: string
  readonly note?: ComponentChildren
}

const pretty = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

/** Bytes, exactly; indented on demand. */
export const Bytes = ({ label, note, part, title, view }: BytesProps): JSX.Element => {
  const [indented, setIndented] = useState(false)
  const text = textOf(view)
  const at = part === undefined || part === "" ? -1 : text.indexOf(part)
  const content = indented
    ? exact(pretty(text))
    : at < 0 || part === undefined
    ? exact(text)
    : [exact(text.slice(0, at)), h("span", { class: "part" }, exact(part)), exact(text.slice(at + part.length))]
  return h(
    "section",
    { class: "bytes" },
    h(
      "header",
      null,
      h("h4", null, title),
      h("span", { class: "dim" }, bytes(view.bytes), "text" in view ? "" : ", not UTF-8"),
      h("span", { class: "grow" }),
      "text" in view
        ? h(Button, {
          kind: "quiet",
          pressed: indented,
          onClick: () => setIndented(!indented),
          title: "Indent, to read it"
        }, "Indent")
        : null,
      h(Copy, { label: `Copy: ${label ?? title}`, text: "text" in view ? view.text : view.base64 })
    ),
    h(
      "pre",
      { tabIndex: 0, role: "region", "aria-label": label ?? title },
      view.bytes === 0 ? h("span", { class: "dim" }, "empty") : content
    ),
    note === undefined ? null : h("p", { class: "note" }, note)
  )
}

/** Names and values. */
export const Headers = (
  { label, list }: { readonly label: string; readonly list: ReadonlyArray<readonly [string, string]> }
): JSX.Element =>
  h(
    "dl",
    { class: "headers", "aria-label": label },
    list.map(([name, value], index) =>
      h("div", { key: index }, h("dt", null, exact(name)), h("dd", null, exact(value)))
    )
  )

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children?: ComponentChildren
  readonly wide?: boolean
}

/** A dialog of the browser: it keeps the focus, closes with Escape, and gives the focus back. */
export const Dialog = ({ children, onClose, title, wide }: DialogProps): JSX.Element => {
  const own = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const before = document.activeElement
    own.current?.showModal()
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return h(
    "dialog",
    {
      ref: own,
      class: wide === true ? "wide" : "",
      "aria-labelledby": "dialog-title",
      onClose,
      onCancel: (event: Event) => {
        event.preventDefault()
        onClose()
      },
      onClick: (event: Event) => {
        if (event.target === own.current) onClose()
      }
    },
    h(
      "div",
      { class: "dialog" },
      h(
        "header",
        null,
        h("h2", { id: "dialog-title" }, title),
        h(Button, { kind: "quiet", onClick: onClose, label: "Close", keys: "Escape" }, icon("close"))
      ),
      children
    )
  )
}
