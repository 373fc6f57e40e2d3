import type { DeliverySummary, EventSummary } from "../src/control/views.js"
import type { DeliveryState } from "../src/model.js"

/** What a delivery, or an event as a whole, looks like. */
export type Look = DeliveryState | "unrouted"

export const names: Readonly<Record<Look, string>> = {
  pending: "Pending",
  in_flight: "In flight",
  retry_scheduled: "Retrying",
  succeeded: "Delivered",
  dead_lettered: "Dead",
  cancelled: "Cancelled",
  skipped: "Skipped",
  unrouted: "No subscription"
}

/** The delivery that decides how an event looks: what failed, then what is under way, then what is done. */
const order: ReadonlyArray<DeliveryState> = [
  "dead_lettered",
  "retry_scheduled",
  "in_flight",
  "pending",
  "skipped",
  "cancelled",
  "succeeded"
]

export const lookOf = (event: EventSummary): Look => {
  let best = order.length
  for (const { state } of event.deliveries) best = Math.min(best, order.indexOf(state))
  return order[best] ?? "unrouted"
}

/** The delivery that an event's line is about. */
export const leading = (event: EventSummary): DeliverySummary | undefined => {
  const look = lookOf(event)
  return event.deliveries.find(({ state }) => state === look)
}

const two = (value: number): string => String(value).padStart(2, "0")

/** The time of day, with the date unless it is today's. */
export const clock = (at: number, now: number): string => {
  const date = new Date(at)
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return date.toDateString() === new Date(now).toDateString()
    ? time
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`
}

/** A span of time, short. */
export const span = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${two(minutes % 60)} min` : `${Math.round(hours / 24)} days`
}

/** What is left until a time. */
export const countdown = (ms: number): string =>
  ms <= 0 ? "now" : span(ms < 10_000 ? Math.ceil(ms / 1000) * 1000 : ms)
    .replace(/\.0 s$/, " s")

export const bytes = (count: number): string =>
  count < 10_000
    ? `${count} ${count === 1 ? "byte" : "bytes"}`
    : `${(count / 1024).toFixed(count < 102_400 ? 1 : 0)} KiB`

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`

/** What the error class of an attempt means. */
export const failure = (errorClass: string | null): string => {
  switch (errorClass) {
    case null:
      return ""
    case "timeout":
      return "timed out"
    case "connection":
      return "no connection"
    case "policy":
      return "URL not allowed"
    case "redirect_rejected":
      return "redirect refused"
    case "attempts_exhausted":
      return "attempts exhausted"
    default:
      return errorClass.replace(/^http_/, "HTTP ")
  }
}

/** What goes on with an event, in a few words; the countdown is added by its line. */
export const headline = (event: EventSummary): string => {
  const delivery = leading(event)
  if (delivery === undefined) return names.unrouted
  const { attemptNo, errorClass, httpStatus, maxAttempts, state, waitsFor } = delivery
  const why = failure(errorClass) || (httpStatus === null ? "" : `HTTP ${httpStatus}`)
  const others = event.deliveries.length > 1
    ? ` · ${event.deliveries.filter((one) => one.state === "succeeded").length}/${event.deliveries.length} delivered`
    : ""
  switch (state) {
    case "succeeded":
      return event.deliveries.length > 1 ? `Delivered to ${event.deliveries.length}` : `Delivered · ${why}`
    case "retry_scheduled":
      return `${
        waitsFor === "database" ? "Waits for the database" : `Attempt ${attemptNo} of ${maxAttempts} failed`
      } · ${why}${others}`
    case "dead_lettered":
      return `Dead · ${why}${others}`
    case "pending":
      return (waitsFor === "ordering"
        ? "Waits for its turn"
        : waitsFor === "resume"
        ? "Held: deliveries are paused"
        : waitsFor === "database"
        ? "Waits for the database"
        : "Pending") + others
    default:
      return names[state] + others
  }
}
