/** Sending events, and following them. */
import type { Delivery, EventAccepted, EventStatus, Hookrail } from "@hookrail/promise"
import { withClient } from "../base/client.js"
import type { Context, Run } from "../base/context.js"
import { millisOf } from "../base/duration.js"
import { exitCodes, Failure, usage } from "../base/exit.js"
import { oneLine, type Output, paintState } from "../base/output.js"
import { type Json, jsonOf, parsePayload, readJson, withSettings } from "../base/payload.js"

interface Sending {
  readonly topic: string
  readonly set: ReadonlyArray<string>
  readonly setString: ReadonlyArray<string>
  readonly from: string | undefined
  readonly catalog: string | undefined
  readonly key: string | undefined
  readonly orderingKey: string | undefined
  readonly wait: boolean
  readonly timeout: string
}

export interface TriggerInput extends Sending {
  readonly dryRun: boolean
}

export interface SendInput extends Sending {
  readonly payload: string | undefined
}

const loadCatalog = async (path: string) => (await import("../base/catalog.js")).Catalog.load(path)

/** A test event: an example of the topic, with what the user sets. */
export const trigger: Run<TriggerInput> = async (input, context) => {
  const catalog = input.catalog === undefined ? undefined : await loadCatalog(input.catalog)
  const base = input.from === undefined ? await catalog?.example(input.topic) : await readJson(input.from)
  const payload = withSettings(base, input.set, input.setString)
  await catalog?.check(input.topic, payload)
  if (input.dryRun) {
    const text = jsonOf(payload, 2)
    context.out.data({ topic: input.topic, payload }, () => text)
    return
  }
  return send(input, payload, context)
}

/** An event with exactly this payload. */
export const sendEvent: Run<SendInput> = async (input, context) => {
  const { from, payload: text } = input
  if (text !== undefined && from !== undefined) throw usage("give the payload as an argument or by --from, not both")
  const base = text === undefined
    ? from === undefined ? undefined : await readJson(from)
    : parsePayload(text)
  if (base === undefined && input.set.length + input.setString.length === 0) {
    throw usage("there is no payload: give it as an argument, by --from <file>, or by --set name=value")
  }
  const payload = withSettings(base, input.set, input.setString)
  if (input.catalog !== undefined) await (await loadCatalog(input.catalog)).check(input.topic, payload)
  return send(input, payload, context)
}

const send = (input: Sending, payload: Json, context: Context): Promise<number> => {
  const timeout = millisOf("--timeout", input.timeout)
  return withClient(context, async (client, { baseUrl, source }) => {
    if (source !== "the environment") context.out.note(`sending to ${baseUrl} (from ${source})`)
    const accepted = await client.sendEvent(input.topic, payload as {} | null, {
      idempotencyKey: input.key,
      orderingKey: input.orderingKey,
      signal: context.signal
    })
    context.out.data(accepted, () => acceptedText(accepted, context.out))
    if (accepted.deliveryIds.length === 0) {
      context.out.note("no subscription matches this topic: nobody receives the event")
    }
    return input.wait ? waitFor(client, accepted.eventId, timeout, context) : exitCodes.ok
  })
}

const acceptedText = ({ deliveryIds, eventId, replayed }: EventAccepted, { paint }: Output): string => {
  const count = deliveryIds.length === 1 ? "1 delivery" : `${deliveryIds.length} deliveries`
  return `${paint("bold", eventId)}  ${replayed ? "accepted before" : "accepted"}, ${count}`
}

export const status: Run<{ readonly eventId: string }> = ({ eventId }, context) =>
  withClient(context, async (client) => {
    show(await client.getEvent(eventId, { signal: context.signal }), context.out)
  })

export const wait: Run<{ readonly eventId: string; readonly timeout: string }> = ({ eventId, timeout }, context) => {
  const millis = millisOf("--timeout", timeout)
  return withClient(context, (client) => waitFor(client, eventId, millis, context))
}

/** Waits until all deliveries have ended; the exit code says how. */
const waitFor = async (
  client: Hookrail,
  eventId: string,
  timeout: number,
  { out, signal }: Context
): Promise<number> => {
  const status = await client.awaitEvent(eventId, { timeout, signal }).catch((error: unknown) => {
    const { _tag, states } = Object(error) as { readonly _tag?: string; readonly states?: ReadonlyArray<string> }
    if (_tag !== "AwaitTimeoutError") throw error
    throw new Failure(
      exitCodes.timedOut,
      `event ${eventId} has not been delivered after ${timeout / 1000} s (${(states ?? []).join(", ")}): ` +
        `look at "hookrail status ${eventId}", or wait longer with --timeout`,
      { eventId, states }
    )
  })
  show(status, out)
  const failed = status.deliveries.filter(({ state }) => state !== "succeeded")
  if (failed.length === 0) return exitCodes.ok
  throw new Failure(
    exitCodes.failed,
    `${failed.length} of ${status.deliveries.length} deliveries did not succeed: ${failed.map(reasonOf).join(", ")}`,
    { eventId }
  )
}

const reasonOf = ({ attempts, deliveryId, state }: Delivery): string => {
  const last = attempts.at(-1)
  return `${deliveryId} ${state}${last?.errorClass === undefined ? "" : ` (${last.errorClass})`}`
}

const show = (status: EventStatus, out: Output): void =>
  out.data(status, () => {
    const { paint } = out
    const lines = [`${paint("bold", status.eventId)}  ${oneLine(status.topic)}`]
    if (status.deliveries.length === 0) lines.push("  no deliveries: no subscription matched when it was sent")
    for (const { attempts, attemptsTruncated, deliveryId, state } of status.deliveries) {
      lines.push(`  ${deliveryId}  ${paintState(state, paint)}`)
      if (attemptsTruncated) lines.push("    older attempts are no longer kept")
      for (const { attemptNo, errorClass, httpStatus, latencyMs, status } of attempts) {
        const answer = httpStatus ?? errorClass ?? "no answer"
        lines.push(`    attempt ${attemptNo}  ${status}  ${answer}  ${latencyMs} ms`)
      }
    }
    return lines.join("\n")
  })
