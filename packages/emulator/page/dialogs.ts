import { type ComponentChildren, h, type JSX, type TargetedEvent } from "preact"
import { useState } from "preact/hooks"
import type { VerifyView } from "../src/control/calls.js"
import type { SendView } from "../src/control/send.js"
import type { AttemptView, DeliveryView, EventView } from "../src/control/views.js"
import { api } from "./api.js"
import { plural } from "./format.js"
import type { Model } from "./model.js"
import { Button, Copy, Dialog, exact, icon, textOf } from "./parts.js"

interface FieldProps {
  readonly label: string
  readonly name: string
  readonly value: string
  readonly onInput: (value: string) => void
  readonly hint?: string
  readonly list?: string
  readonly type?: string
  readonly placeholder?: string
  /** Whether the focus is here first. */
  readonly first?: boolean
}

const Field = (
  { first, hint, label, list, name, onInput, placeholder, type = "text", value }: FieldProps
): JSX.Element =>
  h(
    "label",
    { class: "field" },
    h("span", null, label),
    h("input", {
      type,
      name,
      value,
      list,
      placeholder,
      autocomplete: "off",
      spellcheck: false,
      autofocus: first,
      onInput: (event: TargetedEvent<HTMLInputElement>) => onInput(event.currentTarget.value)
    }),
    hint === undefined ? null : h("small", null, hint)
  )

interface TextProps {
  readonly label: string
  readonly value: string
  readonly rows: number
  readonly onInput: (value: string) => void
  readonly onSubmit: () => void
  readonly hint?: ComponentChildren
  readonly bad?: boolean
  readonly first?: boolean
}

const TextField = ({ bad, first, hint, label, onInput, onSubmit, rows, value }: TextProps): JSX.Element =>
  h(
    "label",
    { class: "field" },
    h("span", null, label),
    h("textarea", {
      rows,
      value,
      spellcheck: false,
      autofocus: first,
      "aria-invalid": bad === true ? "true" : undefined,
      onInput: (event: TargetedEvent<HTMLTextAreaElement>) => onInput(event.currentTarget.value),
      onKeyDown: (event: KeyboardEvent) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onSubmit()
      }
    }),
    hint === undefined ? null : h("small", { class: bad === true ? "bad" : "" }, hint)
  )

/** Submits without leaving the page. */
const form = (onSubmit: () => void, ...children: Array<ComponentChildren>): JSX.Element =>
  h("form", {
    onSubmit: (event: Event) => {
      event.preventDefault()
      onSubmit()
    }
  }, children)

const jsonFault = (text: string): string | undefined => {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : "not JSON"
  }
}

/** What each dialog gets. */
export interface DialogContext {
  readonly model: Model
  readonly close: () => void
  readonly say: (text: string, bad?: boolean) => void
  /** Runs an action and tells of its failure. */
  readonly act: (what: string, run: () => Promise<unknown>) => void
}

interface SendProps extends DialogContext {
  /** The event to change and send again. */
  readonly from: EventView | undefined
  readonly onSent: (result: SendView) => void
}

/** Sends an event, new or changed. */
export const SendDialog = ({ close, from, model, onSent }: SendProps): JSX.Element => {
  const [topic, setTopic] = useState(from?.topic ?? model.selected?.topic ?? "orders.created")
  const [payload, setPayload] = useState(
    from === undefined ? "{\n  \"order_id\": \"o_1\"\n}" : textOf(from.sent?.payload ?? from.delivered)
  )
  const [orderingKey, setOrderingKey] = useState(from?.orderingKey ?? "")
  const [idempotencyKey, setIdempotencyKey] = useState("")
  const [refusal, setRefusal] = useState<string>()
  const [busy, setBusy] = useState(false)
  const fault = jsonFault(payload)
  const submit = (): void => {
    setBusy(true)
    setRefusal(undefined)
    api<SendView>("POST", "/api/events", {
      topic,
      payloadText: payload,
      ...(orderingKey === "" ? {} : { orderingKey }),
      ...(idempotencyKey === "" ? {} : { idempotencyKey })
    }).then((result) => {
      if (result.eventId !== null) return onSent(result)
      const { answer, failure } = result
      setRefusal(
        answer === null ? `No answer: ${failure}` : `The server answered ${answer.status}: ${textOf(answer.body)}`
      )
    }).catch((error: unknown) => setRefusal(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false))
  }
  const topics = [...new Set(model.items.slice(0, 500).map((event) => event.topic))].slice(0, 30)
  return h(
    Dialog,
    { title: from === undefined ? "Send an event" : "Edit and resend", onClose: close, wide: true },
    form(
      submit,
      h(Field, {
        label: "Topic",
        name: "topic",
        value: topic,
        onInput: setTopic,
        list: "topics",
        first: from === undefined
      }),
      h("datalist", { id: "topics" }, topics.map((one) => h("option", { key: one, value: one }))),
      h(TextField, {
        label: "Payload",
        value: payload,
        rows: 10,
        onInput: setPayload,
        onSubmit: submit,
        bad: fault !== undefined,
        first: from !== undefined,
        hint: fault ?? "JSON; it is sent exactly as it stands here."
      }),
      h(
        "div",
        { class: "columns" },
        h(Field, {
          label: "Ordering key",
          name: "ordering-key",
          value: orderingKey,
          onInput: setOrderingKey,
          placeholder: "none"
        }),
        h(Field, {
          label: "Idempotency key",
          name: "idempotency-key",
          value: idempotencyKey,
          onInput: setIdempotencyKey,
          placeholder: "none"
        })
      ),
      refusal === undefined ? null : h("p", { class: "refusal", role: "alert" }, exact(refusal)),
      h(
        "div",
        { class: "buttons end" },
        h("span", { class: "dim" }, h("kbd", null, "Ctrl"), " ", h("kbd", null, "Enter")),
        h(Button, { onClick: close }, "Cancel"),
        h("button", { type: "submit", class: "button primary", disabled: busy || topic === "" }, "Send")
      )
    )
  )
}

const failures: ReadonlyArray<{ readonly label: string; readonly on: "delivery" | "ingest"; readonly rule: object }> = [
  { label: "Deliveries: HTTP 500, retried", on: "delivery", rule: { on: "delivery", kind: "status", status: 500 } },
  {
    label: "Deliveries: HTTP 429 with Retry-After 30",
    on: "delivery",
    rule: { on: "delivery", kind: "status", status: 429, retryAfter: "30" }
  },
  {
    label: "Deliveries: HTTP 400, dead at once",
    on: "delivery",
    rule: { on: "delivery", kind: "status", status: 400 }
  },
  { label: "Deliveries: connection reset", on: "delivery", rule: { on: "delivery", kind: "reset" } },
  { label: "Deliveries: timeout", on: "delivery", rule: { on: "delivery", kind: "timeout" } },
  {
    label: "Deliveries: received, but the answer is lost (duplicate)",
    on: "delivery",
    rule: { on: "delivery", kind: "timeout", when: "after" }
  },
  {
    label: "Deliveries: worker crash after sending (duplicate)",
    on: "delivery",
    rule: { on: "delivery", kind: "crash" }
  },
  { label: "Sends: HTTP 503, nothing stored", on: "ingest", rule: { kind: "status", status: 503, retryAfter: "1" } },
  { label: "Sends: HTTP 429", on: "ingest", rule: { kind: "status", status: 429 } },
  { label: "Sends: stored, but the answer is lost", on: "ingest", rule: { kind: "reset", when: "after" } },
  { label: "Sends: connection reset", on: "ingest", rule: { kind: "reset" } }
]

/** Makes the next deliveries or sends fail. */
export const FailDialog = ({ act, close, model }: DialogContext): JSX.Element => {
  const [choice, setChoice] = useState(0)
  const [times, setTimes] = useState("1")
  const [topic, setTopic] = useState("")
  const faults = model.state?.faults ?? []
  const submit = (): void => {
    const count = Number(times)
    act(
      `The next ${
        plural(
          count,
          failures[choice]!.on === "delivery" ? "delivery" : "send",
          failures[choice]!.on === "delivery" ? "deliveries" : "sends"
        )
      } will fail`,
      () => api("POST", "/api/faults", { ...failures[choice]!.rule, times: count, ...(topic === "" ? {} : { topic }) })
    )
    close()
  }
  return h(
    Dialog,
    { title: "Fail the next", onClose: close },
    form(
      submit,
      h(
        "label",
        { class: "field" },
        h("span", null, "What happens"),
        h(
          "select",
          {
            value: String(choice),
            autofocus: true,
            onChange: (event: TargetedEvent<HTMLSelectElement>) => setChoice(Number(event.currentTarget.value))
          },
          failures.map(({ label }, index) => h("option", { key: label, value: String(index) }, label))
        )
      ),
      h(
        "div",
        { class: "columns" },
        h(Field, { label: "How often", name: "times", type: "number", value: times, onInput: setTimes }),
        h(Field, {
          label: "Only this topic",
          name: "topic",
          value: topic,
          onInput: setTopic,
          placeholder: "any, or orders.*"
        })
      ),
      h(
        "div",
        { class: "buttons end" },
        h(Button, { onClick: close }, "Cancel"),
        h("button", { type: "submit", class: "button primary", disabled: !/^[1-9]\d{0,5}$/.test(times) }, "Set")
      )
    ),
    faults.length === 0 ? null : h(
      "section",
      null,
      h("h3", null, "In place"),
      h(
        "ul",
        { class: "plain-list" },
        faults.map(({ hits, id, rule }) =>
          h(
            "li",
            { key: id },
            h("code", null, exact(JSON.stringify(rule))),
            h("span", { class: "dim" }, `applied ${plural(hits, "time")}`),
            h("span", { class: "grow" }),
            h(Button, {
              onClick: () => act("Fault removed", () => api("DELETE", `/api/faults/${id}`)),
              label: `Remove fault ${id}`
            }, "Remove")
          )
        )
      ),
      h(
        "div",
        { class: "buttons end" },
        h(Button, { onClick: () => act("All faults removed", () => api("DELETE", "/api/faults")) }, "Remove all")
      )
    )
  )
}

const Secret = (
  { act, endpointId }: { readonly act: DialogContext["act"]; readonly endpointId: string }
): JSX.Element => {
  const [secret, setSecret] = useState<string>()
  const call = (what: string, name: string): void =>
    act(
      what,
      () =>
        api<{ readonly secret: string }>("POST", `/api/endpoints/${endpointId}/${name}`).then((it) =>
          setSecret(it.secret)
        )
    )
  return h(
    "div",
    { class: "secret" },
    h("span", { class: "dim" }, "Secret "),
    h("code", null, secret ?? "whsec_••••••••"),
    secret === undefined
      ? h(Button, { onClick: () => call("Secret shown", "reveal-secret") }, "Show")
      : h(Copy, { label: "Copy secret", text: secret }),
    h(Button, { onClick: () => call("Secret rotated: give your receiver the new one", "rotate-secret") }, "Rotate")
  )
}

/** Endpoints and subscriptions. */
export const ReceiversDialog = ({ act, close, model }: DialogContext): JSX.Element => {
  const [topic, setTopic] = useState("*")
  const [url, setUrl] = useState("")
  const { endpoints = [], subscriptions = [] } = model.state ?? {}
  const live = endpoints.filter(({ deleted }) => !deleted)
  const add = (): void =>
    act(`Subscribed to ${topic}`, () => api("POST", "/api/subscriptions", { topic, url }).then(() => setUrl("")))
  return h(
    Dialog,
    { title: "Receivers", onClose: close, wide: true },
    live.length === 0 ? h("p", { class: "note" }, "There is none yet: events are accepted and go nowhere.") : h(
      "ul",
      { class: "plain-list receivers" },
      live.map((endpoint) =>
        h(
          "li",
          { key: endpoint.id },
          h("div", { class: "url" }, exact(endpoint.url)),
          endpoint.description === "" ? null : h("p", { class: "dim" }, exact(endpoint.description)),
          h(Secret, { act, endpointId: endpoint.id }),
          h(
            "ul",
            { class: "plain-list" },
            subscriptions.filter(({ deleted, endpointId }) => !deleted && endpointId === endpoint.id).map((
              subscription
            ) =>
              h(
                "li",
                { key: subscription.id },
                h("code", null, exact(subscription.topic)),
                h(
                  "span",
                  { class: "dim" },
                  `${plural(subscription.maxAttempts, "attempt")}${subscription.ordered ? ", ordered" : ""}${
                    subscription.active ? "" : ", paused"
                  }`
                ),
                h("span", { class: "grow" }),
                h(
                  Button,
                  {
                    onClick: () =>
                      act(
                        subscription.active ? "Subscription paused: it gets no new events" : "Subscription active",
                        () => api("PATCH", `/api/subscriptions/${subscription.id}`, { active: !subscription.active })
                      ),
                    title: "While it is paused, new events are not delivered to it, not even later",
                    label: `${subscription.active ? "Pause" : "Resume"} ${subscription.topic}`
                  },
                  subscription.active ? "Pause" : "Resume"
                ),
                h(Button, {
                  onClick: () =>
                    act("Subscription removed", () => api("DELETE", `/api/subscriptions/${subscription.id}`)),
                  label: `Remove ${subscription.topic}`
                }, "Remove")
              )
            )
          )
        )
      )
    ),
    h("h3", null, "Add one"),
    form(
      add,
      h(
        "div",
        { class: "columns" },
        h(Field, {
          label: "Topic",
          name: "topic",
          value: topic,
          onInput: setTopic,
          hint: "orders.created, orders.* or *"
        }),
        h(Field, {
          label: "URL",
          name: "url",
          value: url,
          onInput: setUrl,
          placeholder: "http://localhost:3000/webhooks"
        })
      ),
      h(
        "div",
        { class: "buttons end" },
        h("button", { type: "submit", class: "button primary", disabled: topic === "" || url === "" }, "Subscribe")
      )
    )
  )
}

interface CompareProps extends DialogContext {
  readonly delivery: DeliveryView
  readonly attempt: AttemptView
}

/** Examines what a receiver got. */
export const CompareDialog = ({ attempt, close, delivery }: CompareProps): JSX.Element => {
  const [body, setBody] = useState("")
  const [secret, setSecret] = useState("")
  const [result, setResult] = useState<VerifyView>()
  const [refusal, setRefusal] = useState<string>()
  const submit = (): void => {
    api<VerifyView>("POST", "/api/verify", {
      deliveryId: delivery.id,
      signature: attempt.signature?.sent ?? "",
      body,
      at: attempt.at,
      ...(secret === "" ? {} : { secrets: [secret] })
    }).then(setResult, (error: unknown) => setRefusal(error instanceof Error ? error.message : String(error)))
  }
  return h(
    Dialog,
    { title: "Compare with what arrived", onClose: close, wide: true },
    h(
      "p",
      { class: "note" },
      "Paste the body that your handler verifies, and the secret that it verifies with. The client's own verifier examines them."
    ),
    form(
      submit,
      h(TextField, { label: "Body", value: body, rows: 8, first: true, onInput: setBody, onSubmit: submit }),
      h(Field, {
        label: "Secret",
        name: "secret",
        type: "password",
        value: secret,
        onInput: setSecret,
        placeholder: "the endpoint's present one"
      }),
      result === undefined && refusal === undefined ? null : h(
        "div",
        { class: `signature ${result?.verdict === "genuine" ? "good" : "bad"}`, role: "status" },
        result === undefined ? refusal : [
          h(
            "p",
            { key: "v", class: "verdict" },
            icon(result.verdict === "genuine" ? "succeeded" : "dead_lettered"),
            h("strong", null, result.verdict === "genuine" ? "Genuine" : result.mistake ?? result.verdict),
            h("span", null, result.verdict === "genuine" ? "" : `: ${result.reason}`)
          ),
          result.advice === null ? null : h("p", { key: "a" }, result.advice),
          result.body === "different"
            ? h("p", { key: "b" }, `The body differs from the one delivered, from byte ${result.differsAt} on.`)
            : null
        ]
      ),
      h(
        "div",
        { class: "buttons end" },
        h(Button, { onClick: close }, "Close"),
        h("button", { type: "submit", class: "button primary" }, "Verify")
      )
    )
  )
}

const keys: ReadonlyArray<readonly [keys: string, what: string]> = [
  ["j k", "next, previous event; arrows work as well"],
  ["g G", "newest, oldest event"],
  ["Enter", "read the event"],
  ["/", "search"],
  ["Esc", "back to the list; close; empty the search"],
  ["n", "send an event"],
  ["e", "edit the event and resend it"],
  ["s", "resend the event as it is"],
  ["r", "replay its dead deliveries"],
  ["f", "fail the next deliveries or sends"],
  ["p", "pause or resume deliveries"],
  ["a", "advance the clock to the next attempt"],
  ["v", "receivers"],
  ["t", "light, dark, or as the system"],
  ["?", "this list"]
]

interface HelpProps {
  readonly close: () => void
  readonly shortcuts: boolean
  readonly onShortcuts: (on: boolean) => void
}

/** All keys, and how to search. */
export const HelpDialog = ({ close, onShortcuts, shortcuts }: HelpProps): JSX.Element =>
  h(
    Dialog,
    { title: "Keys", onClose: close },
    h(
      "dl",
      { class: "keys" },
      keys.map(([names, what]) =>
        h(
          "div",
          { key: names },
          h("dt", null, names.split(" ").map((one) => h("kbd", { key: one }, one))),
          h("dd", null, what)
        )
      )
    ),
    h(
      "label",
      { class: "check" },
      h("input", {
        type: "checkbox",
        checked: shortcuts,
        onChange: (event: TargetedEvent<HTMLInputElement>) => onShortcuts(event.currentTarget.checked)
      }),
      " Single keys are shortcuts"
    ),
    h("h3", null, "Search"),
    h(
      "p",
      { class: "note" },
      "Words are looked for in topics, ids, keys and payloads; all must be there. ",
      h("code", null, "topic:orders.*"),
      ", ",
      h("code", null, "key:order-7"),
      " and ",
      h("code", null, "endpoint:<id>"),
      " narrow it down."
    )
  )
