import { signWebhook, type SignWebhookOptions } from "@hookrail/emulator"
import { Cause, Clock, Effect, HashMap, Layer, Logger, LogLevel, ManagedRuntime, Redacted, Schema } from "effect"
import { DeliveryLog, SignatureVerifier, Topic, Webhooks } from "hookrail"
import type { Serve } from "./ways.js"

export const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"

export const OrderCreated = Topic.make(
  "orders.created",
  Schema.Struct({ order_id: Schema.String, placed: Schema.optional(Schema.Date) })
)

export interface OrderEvent
  extends Webhooks.WebhookEvent<{ readonly order_id: string; readonly placed?: Date | undefined }>
{}

export interface ReceiverOptions extends Webhooks.Options {
  /** Default: nothing to do. */
  readonly handle?: ((event: OrderEvent) => Effect.Effect<unknown, unknown>) | undefined
  readonly secrets?: Effect.Effect<SignatureVerifier.Secrets> | undefined
  /** The receiver's clock. Default: the real time. */
  readonly now?: (() => number) | undefined
}

/** A receiver of orders behind a real server. */
export interface Receiver extends AsyncDisposable {
  readonly url: string
  /** What the handler was called with. */
  readonly events: Array<OrderEvent>
  /** All that was logged, as text. */
  readonly log: () => string
}

/** Goes by `now`, which may have fractions; sleeps in real time. */
const clockOf = (now: () => number): Clock.Clock => {
  const nanos = () => BigInt(Math.floor(now())) * 1_000_000n
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: now,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanos: Effect.sync(nanos),
    sleep: Clock.make().sleep
  }
}

export const startReceiver = async (serve: Serve, options: ReceiverOptions = {}): Promise<Receiver> => {
  const { handle = () => Effect.void, now = Date.now, secrets = Effect.succeed(Redacted.make(secret)), ...settings } =
    options
  const events: Array<OrderEvent> = []
  const lines: Array<string> = []
  const logger = Logger.make(({ annotations, cause, logLevel, message }) => {
    const notes = JSON.stringify(Object.fromEntries(HashMap.toEntries(annotations)))
    lines.push(`${logLevel.label} ${String(message)} ${notes} ${Cause.pretty(cause)}`)
  })
  const handler = Webhooks.on(OrderCreated, (event) =>
    Effect.suspend(() => {
      events.push(event)
      return handle(event)
    }))
  const runtime = ManagedRuntime.make(
    Webhooks.layer([handler], settings).pipe(
      Layer.provide([SignatureVerifier.layer({ secrets }), DeliveryLog.layerMemory()]),
      Layer.provideMerge(Layer.mergeAll(
        Logger.replace(Logger.defaultLogger, logger),
        Logger.minimumLogLevel(LogLevel.All),
        Layer.setClock(clockOf(now))
      ))
    )
  )
  const served = await serve(runtime)
  return {
    url: served.url,
    events,
    log: () => lines.join("\n"),
    [Symbol.asyncDispose]: async () => {
      await served.close()
      await runtime.dispose()
    }
  }
}

/** A genuine webhook about an order. */
export const sign = (options: Partial<SignWebhookOptions> = {}) =>
  signWebhook({ secret, topic: "orders.created", payload: { order_id: "o_1" }, ...options })
