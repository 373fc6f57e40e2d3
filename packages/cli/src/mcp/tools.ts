/** The commands as tools for coding agents. What changes something is there only if it is allowed. */
import { deliveryStates } from "hookrail/wire/deliveryState"
import type { Context } from "../base/context.js"
import { exitCodes, Failure, Stopped } from "../base/exit.js"
import { Output } from "../base/output.js"
import type { Json } from "../base/payload.js"
import * as Admin from "../commands/admin.js"
import { doctor } from "../commands/doctor.js"
import { sendEvent, status, wait } from "../commands/event.js"
import { parseCaptured, requireSecrets, sign, verification } from "../commands/webhook.js"
import type { ToolResult, Tools } from "./protocol.js"

interface Property {
  readonly type?: "string" | "number" | "integer" | "boolean" | "object"
  readonly description: string
  readonly enum?: ReadonlyArray<string>
  readonly minimum?: number
  readonly maximum?: number
}

type Arguments = Readonly<Record<string, unknown>>

interface Tool {
  readonly name: string
  readonly description: string
  readonly properties: Readonly<Record<string, Property>>
  readonly required: ReadonlyArray<string>
  /** Absent unless writes are allowed. */
  readonly writes?: boolean
  readonly isDestructive?: boolean
  readonly isIdempotent?: boolean
  readonly run: (args: Arguments, context: Context) => Promise<number | void>
}

const text = (description: string): Property => ({ type: "string", description })

const limit: Property = { type: "integer", description: "At most how many, default 20", minimum: 1, maximum: 200 }

const optional = (value: unknown): string | undefined => value === undefined ? undefined : String(value)

const limitOf = ({ limit }: Arguments): number => Number(limit ?? 20)

/** The payload as JSON: agents sometimes give the text of it. */
const payloadText = (payload: unknown): string => {
  if (typeof payload === "string" && /^\s*[[{]/.test(payload)) {
    try {
      JSON.parse(payload)
      return payload
    } catch {
      // A text like any other.
    }
  }
  return JSON.stringify(payload as Json)
}

const seconds = (value: unknown, fallback: number): string => `${Number(value ?? fallback)}s`

const noSets = { set: [], setString: [] } as const

const allTools: ReadonlyArray<Tool> = [
  {
    name: "get_event",
    description: "The status of an event: its deliveries, and the attempts of each with the receiver's answers.",
    properties: { eventId: text("The id that sending the event returned") },
    required: ["eventId"],
    run: ({ eventId }, context) => status({ eventId: String(eventId) }, context)
  },
  {
    name: "wait_for_delivery",
    description:
      "Waits until all deliveries of an event have ended, and returns its status. An error tells which did not succeed, or " +
      "that the time is over.",
    properties: {
      eventId: text("The id that sending the event returned"),
      timeoutSeconds: { type: "integer", description: "How long to wait, default 30", minimum: 1, maximum: 300 }
    },
    required: ["eventId"],
    run: ({ eventId, timeoutSeconds }, context) =>
      wait({ eventId: String(eventId), timeout: seconds(timeoutSeconds, 30) }, context)
  },
  {
    name: "list_deliveries",
    description: "Deliveries, the newest first. One delivery is one event to one subscription.",
    properties: {
      state: {
        type: "string",
        description: "Only those in this state",
        enum: deliveryStates
      },
      endpointId: text("Only those of this endpoint"),
      topic: text("Only those of exactly this topic"),
      eventId: text("Only those of this event"),
      limit
    },
    required: [],
    run: (args, context) =>
      Admin.listDeliveries({
        state: args.state as Admin.DeliveriesFilter["state"],
        endpoint: optional(args.endpointId),
        topic: optional(args.topic),
        event: optional(args.eventId),
        limit: limitOf(args)
      }, context)
  },
  {
    name: "get_delivery",
    description: "A delivery with its attempts: status, answer of the receiver, time it took.",
    properties: { deliveryId: text("Its id") },
    required: ["deliveryId"],
    run: ({ deliveryId }, context) => Admin.showDelivery({ id: String(deliveryId) }, context)
  },
  {
    name: "list_dead_letters",
    description:
      "Deliveries that the server has given up, the newest first, with the last error. Those that were replayed are left out.",
    properties: {
      endpointId: text("Only those of this endpoint"),
      error: text("Only those that ended so, such as http_500 or timeout"),
      since: text("Only those that died since, such as 2h or 2026-11-24T08:00:00Z"),
      limit
    },
    required: [],
    run: (args, context) =>
      Admin.listDead({
        endpoint: optional(args.endpointId),
        error: optional(args.error),
        since: optional(args.since),
        until: undefined,
        replayed: false,
        limit: limitOf(args)
      }, context)
  },
  {
    name: "list_blocked_keys",
    description: "Ordering keys that a dead delivery blocks: their later events wait until it is replayed or skipped.",
    properties: { limit },
    required: [],
    run: (args, context) => Admin.listBlockedKeys({ limit: limitOf(args) }, context)
  },
  {
    name: "list_endpoints",
    description: "Where webhooks are delivered to. Secrets are never shown.",
    properties: { limit },
    required: [],
    run: (args, context) => Admin.listEndpoints({ deleted: false, limit: limitOf(args) }, context)
  },
  {
    name: "list_subscriptions",
    description: "Which topics the endpoints get, and how they are delivered.",
    properties: { endpointId: text("Only those of this endpoint"), limit },
    required: [],
    run: (args, context) =>
      Admin.listSubscriptions({ endpoint: optional(args.endpointId), limit: limitOf(args) }, context)
  },
  {
    name: "verify_webhook",
    description:
      "Verifies a captured webhook with the configured secret, and finds out why it does not match: a body that was parsed, a " +
      "secret without its whsec_, another endpoint's secret. Its age does not count.",
    properties: {
      request: text("The request as text: headers, an empty line, and the body exactly as received")
    },
    required: ["request"],
    run: async ({ request }, context) => {
      const captured = parseCaptured(Buffer.from(String(request)), [])
      const result = await verification(captured, await requireSecrets(context), undefined)
      context.out.data(result, () => "")
    }
  },
  {
    name: "doctor",
    description:
      "Looks for what is wrong with the server, the keys, the clock and proxies, and says what to do. It sends no event.",
    properties: {},
    required: [],
    run: (_, context) => doctor({ url: undefined, topic: "hookrail.doctor" }, context)
  },
  {
    name: "check_receiver",
    description:
      "The same, and checks a receiver: it gets webhooks of the topic hookrail.doctor, genuine and forged, and should accept " +
      "only the genuine one.",
    properties: { url: text("The URL of the receiver") },
    required: ["url"],
    writes: true,
    run: ({ url }, context) => doctor({ url: String(url), topic: "hookrail.doctor" }, context)
  },
  {
    name: "send_event",
    description:
      "Sends an event, which the server delivers to all subscriptions of its topic. With waitSeconds, the result also has the " +
      "status after its deliveries have ended.",
    properties: {
      topic: text("Such as orders.created"),
      payload: { description: "Any JSON value, usually an object" },
      idempotencyKey: text("Sending again with the same key and payload makes no second event"),
      orderingKey: text("Events with the same one are delivered in order"),
      waitSeconds: {
        type: "integer",
        description: "Wait for its deliveries, at most so long",
        minimum: 1,
        maximum: 300
      }
    },
    required: ["topic", "payload"],
    writes: true,
    run: ({ idempotencyKey, orderingKey, payload, topic, waitSeconds }, context) =>
      sendEvent({
        topic: String(topic),
        payload: payloadText(payload),
        ...noSets,
        from: undefined,
        catalog: undefined,
        key: optional(idempotencyKey),
        orderingKey: optional(orderingKey),
        wait: waitSeconds !== undefined,
        timeout: seconds(waitSeconds, 30)
      }, context)
  },
  {
    name: "send_webhook",
    description:
      "Posts a genuine webhook, signed with the configured secret, straight to a receiver, and returns its answer. No server is " +
      "involved.",
    properties: {
      url: text("The URL of the receiver"),
      topic: text("Such as orders.created"),
      payload: { description: "Any JSON value, usually an object" },
      deliveryId: text("Reuse one, to simulate a retry")
    },
    required: ["url", "topic", "payload"],
    writes: true,
    run: ({ deliveryId, payload, topic, url }, context) =>
      sign({
        topic: String(topic),
        payload: payloadText(payload),
        ...noSets,
        from: undefined,
        raw: false,
        deliveryId: optional(deliveryId),
        eventId: undefined,
        to: String(url)
      }, context)
  },
  {
    name: "replay_delivery",
    description: "Delivers a dead delivery again, from its first attempt.",
    properties: { deliveryId: text("Its id") },
    required: ["deliveryId"],
    writes: true,
    run: ({ deliveryId }, context) => Admin.replay({ id: [String(deliveryId)] }, context)
  },
  {
    name: "skip_delivery",
    description:
      "Gives up the dead delivery at the head of an ordering key, so that the next one is delivered. It is not delivered any more.",
    properties: { deliveryId: text("Its id") },
    required: ["deliveryId"],
    writes: true,
    isDestructive: true,
    isIdempotent: true,
    run: ({ deliveryId }, context) => Admin.skip({ id: String(deliveryId) }, context)
  }
]

const faultOf = ({ properties, required }: Tool, args: unknown): string | undefined => {
  if (typeof args !== "object" || args === null || Array.isArray(args)) return "the arguments must be an object"
  const given = args as Arguments
  for (const name of required) if (given[name] === undefined) return `${name} is missing`
  for (const [name, value] of Object.entries(given)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (property === undefined) return `there is no argument ${JSON.stringify(name)}`
    const { enum: values, maximum = Infinity, minimum = -Infinity, type } = property
    const isRight = type === undefined ||
      (type === "integer" ? Number.isInteger(value) : typeof value === type) &&
        (typeof value !== "number" || (value >= minimum && value <= maximum)) &&
        (values === undefined || values.includes(value as string))
    if (!isRight) {
      return `${name} must be ${values?.join(", ") ?? type}${
        Number.isFinite(maximum) ? ` of ${minimum} to ${maximum}` : ""
      }`
    }
  }
  return undefined
}

const resultOf = (data: ReadonlyArray<unknown>, failure: string | undefined): ToolResult => {
  const structuredContent = { results: data }
  const shown = data.length === 0 && failure === undefined ? "none" : data.map((one) => JSON.stringify(one)).join("\n")
  return {
    content: [shown, failure].filter((text) => text !== undefined && text !== "").map((text) => ({
      type: "text",
      text: text!
    })),
    structuredContent,
    ...(failure === undefined ? {} : { isError: true })
  }
}

/** Runs a command, and keeps what it prints. */
const call = async (tool: Tool, args: Arguments, context: Context, signal: AbortSignal): Promise<ToolResult> => {
  const lines: Array<string> = []
  const stream = { write: (text: string) => lines.push(text) > 0, isTTY: false }
  const silent = { write: () => true, isTTY: false }
  const out = new Output("json", {
    stdout: stream as never,
    stderr: silent as never,
    env: {}
  })
  const data = () => lines.join("").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as unknown)
  try {
    await tool.run(args, { ...context, out, signal: AbortSignal.any([context.signal, signal]) })
    return resultOf(data(), undefined)
  } catch (error) {
    if (error instanceof Stopped || signal.aborted) return resultOf([], "cancelled")
    if (!(error instanceof Failure)) throw error
    // Something that failed to arrive is a result like any other: what was asked for is an error only where nothing is known.
    const isResult = error.code === exitCodes.failed && lines.length > 0
    return isResult
      ? resultOf([...data(), { failed: error.message }], undefined)
      : resultOf(data(), error.message)
  }
}

export const toolsFor = (context: Context, allowWrites: boolean): Tools => {
  const tools = new Map(
    allTools.filter(({ writes }) => allowWrites || writes !== true).map((tool) => [tool.name, tool])
  )
  return {
    list: [...tools.values()].map((
      { description, isDestructive = false, isIdempotent = false, name, properties, required, writes = false }
    ) => ({
      name,
      description,
      inputSchema: { type: "object", properties, required, additionalProperties: false },
      annotations: {
        readOnlyHint: !writes,
        ...(writes ? { destructiveHint: isDestructive, idempotentHint: isIdempotent } : {}),
        openWorldHint: true
      }
    })),
    call: (name, args, signal) => {
      const tool = tools.get(name)
      if (tool === undefined) return undefined
      const fault = faultOf(tool, args)
      return fault === undefined
        ? call(tool, args as Arguments, context, signal)
        : Promise.resolve(resultOf([], `wrong arguments: ${fault}`))
    }
  }
}
