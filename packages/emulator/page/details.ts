import { h, type JSX } from "preact"
import { useLayoutEffect, useRef } from "preact/hooks"
import type { AttemptView, DeliveryView, EventView, SignatureView } from "../src/control/views.js"
import { bytes, clock, failure, plural, span } from "./format.js"
import type { Model } from "./model.js"
import { badge, Button, Bytes, Copy, Countdown, exact, Headers, icon } from "./parts.js"

/** What the buttons do. */
export interface Actions {
  readonly resend: (event: EventView) => void
  readonly edit: (event: EventView) => void
  readonly replay: (delivery: DeliveryView) => void
  readonly skip: (delivery: DeliveryView) => void
  readonly retryNow: (delivery: DeliveryView) => void
  readonly rotate: (endpointId: string, url: string) => void
  readonly compare: (delivery: DeliveryView, attempt: AttemptView) => void
  readonly close: () => void
}

const Signature = ({ signature }: { readonly signature: SignatureView }): JSX.Element => {
  const { advice, reason, recomputed, rotatedSince, sent, signedAtSeconds, verdict } = signature
  const good = verdict === "genuine"
  return h(
    "div",
    { class: `signature ${good ? "good" : "bad"}` },
    h(
      "p",
      { class: "verdict" },
      icon(good ? "succeeded" : "dead_lettered"),
      h(
        "span",
        null,
        h(
          "strong",
          null,
          good ? "Signature genuine" : rotatedSince ? "Signed with an earlier secret" : "Signature does not match"
        ),
        h("span", { class: "dim" }, good ? ", recomputed with the endpoint's secret" : `: ${reason}`)
      )
    ),
    good || advice === null
      ? null
      : h(
        "p",
        null,
        rotatedSince
          ? "The secret was rotated after this attempt. A receiver that has only the new one refuses it: let it take both while you rotate."
          : advice
      ),
    h(
      "dl",
      { class: "headers" },
      h("div", null, h("dt", null, sent === recomputed ? "sent = recomputed" : "sent"), h("dd", null, sent)),
      sent === recomputed
        ? null
        : h("div", null, h("dt", null, "recomputed"), h("dd", null, recomputed ?? "not possible")),
      signedAtSeconds === null
        ? null
        : h(
          "div",
          null,
          h("dt", null, "signed at"),
          h("dd", null, new Date(signedAtSeconds * 1000).toISOString().replace(".000", ""))
        )
    )
  )
}

interface AttemptProps {
  readonly attempt: AttemptView
  readonly delivery: DeliveryView
  readonly eventAt: number
  readonly open: boolean
  readonly actions: Actions
}

const Attempt = ({ actions, attempt, delivery, eventAt, open }: AttemptProps): JSX.Element => {
  const { attemptNo, errorClass, fault, httpStatus, latencyMs, requestHeaders, response, signature, status } = attempt
  const look = status === "success" ? "succeeded" : status === "permanent_failure" ? "dead_lettered" : "retry_scheduled"
  const result = status === "crashed"
    ? "worker crashed"
    : httpStatus === null
    ? failure(errorClass)
    : `HTTP ${httpStatus}`
  return h(
    "li",
    { class: `attempt is-${look}` },
    h(
      "details",
      { open },
      h(
        "summary",
        null,
        h("span", { class: "dot" }, icon(look)),
        h("strong", null, `Attempt ${attemptNo}`),
        h("span", { class: `result is-${look}` }, result),
        h("span", { class: "dim" }, span(latencyMs)),
        fault === null ? null : h("span", { class: "tag" }, `fault: ${fault}`),
        signature === null
          ? null
          : h(
            "span",
            { class: `tag ${signature.verdict === "genuine" ? "good" : "bad"}` },
            signature.verdict === "genuine" ? "signature genuine" : signature.mistake ?? signature.verdict
          ),
        h("span", { class: "grow" }),
        h("span", { class: "dim" }, attempt.at === eventAt ? "at once" : `after ${span(attempt.at - eventAt)}`)
      ),
      signature === null ? null : h(Signature, { signature }),
      requestHeaders === null
        ? h(
          "p",
          { class: "note" },
          attempt.url === null
            ? "The bytes of this attempt are no longer kept."
            : "Nothing was sent: the fault came first."
        )
        : h(
          "div",
          null,
          h("h4", { class: "minor" }, "Headers sent"),
          h(Headers, { label: "Headers sent", list: Object.entries(requestHeaders) })
        ),
      response === null
        ? null
        : h(
          "div",
          null,
          h("h4", { class: "minor" }, "Answer of the receiver"),
          h(Headers, { label: "Headers of the answer", list: response.headers }),
          response.bodyBytes === 0 ? null : h(Bytes, {
            title: "Body of the answer",
            view: response.body,
            ...(response.bodyBytes > response.body.bytes
              ? { note: `The first ${bytes(response.body.bytes)} of at least ${bytes(response.bodyBytes)}.` }
              : {})
          })
        ),
      signature === null ? null : h(
        "div",
        { class: "buttons" },
        h(Button, {
          onClick: () => actions.compare(delivery, attempt),
          title: "Paste what your receiver got, and see why it refuses"
        }, "Compare with what arrived…")
      )
    )
  )
}

interface DeliveryProps {
  readonly delivery: DeliveryView
  readonly event: EventView
  readonly model: Model
  readonly actions: Actions
}

const Delivery = ({ actions, delivery, event, model }: DeliveryProps): JSX.Element => {
  const {
    attempts,
    blockedBy,
    can,
    deadLetter,
    endpointId,
    maxAttempts,
    nextAttemptAt,
    state,
    topicPattern,
    url,
    waitsFor
  } = delivery
  const waits = waitsFor === "ordering"
    ? "Waits for an earlier delivery with the same ordering key."
    : waitsFor === "resume"
    ? "Held: deliveries are paused."
    : waitsFor === "database"
    ? "Waits for the database."
    : undefined
  return h(
    "article",
    { class: "delivery", "aria-label": `Delivery to ${url}` },
    h(
      "header",
      null,
      badge(state),
      h("span", { class: "url" }, exact(url)),
      h("span", { class: "grow" }),
      can.replay
        ? h(Button, {
          kind: "primary",
          onClick: () => actions.replay(delivery),
          title: "Deliver it again, from attempt 1",
          keys: "r"
        }, "Replay")
        : null,
      can.skip
        ? h(Button, {
          onClick: () => actions.skip(delivery),
          title: "Give it up, so that the next one of its ordering key goes"
        }, "Skip")
        : null,
      can.retryNow
        ? h(
          Button,
          { onClick: () => actions.retryNow(delivery), title: "Do not wait for the next attempt" },
          "Retry now"
        )
        : null,
      h(
        Button,
        { onClick: () => actions.rotate(endpointId, url), title: "Give this endpoint a new secret" },
        "Rotate secret"
      )
    ),
    h(
      "p",
      { class: "dim facts" },
      "Subscription ",
      h("code", null, exact(topicPattern)),
      delivery.ordered ? " · ordered" : "",
      ` · at most ${plural(maxAttempts, "attempt")} · `,
      h("code", null, delivery.id),
      h(Copy, { label: "Copy delivery id", text: delivery.id })
    ),
    waits === undefined
      ? null
      : h("p", { class: "note" }, waits, blockedBy === null ? "" : [" ", h("code", { key: "by" }, blockedBy)]),
    h(
      "ol",
      { class: "timeline", "aria-label": "Attempts" },
      h(
        "li",
        { class: "point" },
        h("span", { class: "dot" }),
        h("span", null, "Event accepted"),
        h("span", { class: "grow" }),
        h("span", { class: "dim" }, clock(event.at, model.now()))
      ),
      attempts.map((attempt, index) =>
        h(Attempt, {
          key: attempt.claimVersion,
          attempt,
          delivery,
          eventAt: event.at,
          // What went well needs no reading.
          open: index === attempts.length - 1 && attempt.status !== "success",
          actions
        })
      ),
      nextAttemptAt === null ? null : h(
        "li",
        { class: "point next" },
        h("span", { class: "dot" }, icon("pending")),
        h(
          "span",
          null,
          `Attempt ${delivery.attemptNo + 1} of ${maxAttempts} in `,
          h(Countdown, { at: nextAttemptAt, now: () => model.now(), real: model.state?.clock !== "manual" })
        ),
        h("span", { class: "grow" }),
        h("span", { class: "dim" }, clock(nextAttemptAt, model.now()))
      ),
      deadLetter === null || state !== "dead_lettered" ? null : h(
        "li",
        { class: "point is-dead_lettered" },
        h("span", { class: "dot" }, icon("dead_lettered")),
        h("span", null, `Dead letter: ${failure(deadLetter.finalError)}`),
        h("span", { class: "grow" }),
        h("span", { class: "dim" }, clock(deadLetter.deadAt, model.now()))
      )
    )
  )
}

/** Whether the payload was changed on its way through the database. */
const comparison = ({ delivered, sent }: EventView): string => {
  if (sent === null) return "The request is no longer kept; its oldest bytes are dropped first."
  if ("text" in sent.payload && "text" in delivered && sent.payload.text === delivered.text) {
    return "The payload is delivered byte for byte as it was sent."
  }
  return "Hookrail stores payloads as PostgreSQL's jsonb, which sorts keys, drops duplicates, and writes its own blanks. " +
    "The signature is over the bytes on the right."
}

interface DetailsProps {
  readonly model: Model
  readonly actions: Actions
}

/** An event with everything that is known about it. */
export const Details = ({ actions, model }: DetailsProps): JSX.Element => {
  const own = useRef<HTMLElement>(null)
  useLayoutEffect(() => {
    if (own.current !== null) own.current.scrollTop = 0
  }, [model.selectedId])
  const { detail: event, detailError } = model
  const back = h(
    Button,
    { kind: "quiet", onClick: actions.close, label: "Back to the list", keys: "Escape" },
    icon("back")
  )
  if (event === undefined) {
    return h(
      "section",
      { class: "details empty", "aria-label": "Event", id: "details", tabIndex: 0 },
      model.selectedId === undefined
        ? h(
          "p",
          { class: "dim" },
          "Choose an event: ",
          h("kbd", null, "j"),
          " and ",
          h("kbd", null, "k"),
          " move, ",
          h("kbd", null, "?"),
          " shows all keys."
        )
        : h("p", { class: "dim" }, detailError ?? "Loading…")
    )
  }
  const { deliveryViews, sent } = event
  return h(
    "section",
    { ref: own, class: "details", "aria-labelledby": "event-topic", id: "details", tabIndex: 0 },
    h(
      "header",
      { class: "head" },
      h(
        "div",
        { class: "title" },
        h("span", { class: "narrow" }, back),
        h("h2", { id: "event-topic" }, exact(event.topic)),
        h("span", { class: "grow" }),
        h(
          Button,
          { onClick: () => actions.resend(event), title: "Send the same bytes as a new event", keys: "s" },
          "Resend"
        ),
        h(Button, {
          kind: "primary",
          onClick: () => actions.edit(event),
          title: "Change it and send it as a new event",
          keys: "e"
        }, "Edit and resend")
      ),
      h(
        "p",
        { class: "dim facts" },
        h("code", null, event.id),
        h(Copy, { label: "Copy event id", text: event.id }),
        ` accepted ${clock(event.at, model.now())}`,
        event.orderingKey === null ? null : [" · ordering key ", h("code", { key: "o" }, exact(event.orderingKey))],
        sent === null || sent.idempotencyKey === null
          ? null
          : [" · idempotency key ", h("code", { key: "i" }, exact(sent.idempotencyKey))]
      )
    ),
    h(
      "h3",
      null,
      deliveryViews.length === 0
        ? "No delivery"
        : deliveryViews.length === 1
        ? "Delivery"
        : plural(deliveryViews.length, "delivery", "deliveries")
    ),
    deliveryViews.length === 0
      ? h(
        "p",
        { class: "note" },
        "No active subscription matched this topic when the event was accepted. Add one under Receivers, then resend the event."
      )
      : deliveryViews.map((delivery) => h(Delivery, { key: delivery.id, delivery, event, model, actions })),
    h("h3", null, "Bytes"),
    h(
      "div",
      { class: "panes" },
      sent === null
        ? null
        : h(Bytes, {
          title: "As sent",
          label: "Sent by the producer",
          view: sent.body,
          ...("text" in sent.payload ? { part: sent.payload.text } : {})
        }),
      h(Bytes, { title: "As delivered", label: "Delivered to receivers", view: event.delivered })
    ),
    h("p", { class: "note" }, comparison(event)),
    sent === null ? null : [
      h("h3", { key: "h" }, "Headers sent by the producer"),
      h(Headers, { key: "l", label: "Headers sent by the producer", list: Object.entries(sent.headers) })
    ]
  )
}
