/** What tests of the admin client need: a client of an emulator, and deliveries that have died. */
import type { RunningEmulator } from "@hookrail/emulator"
import { Effect, Layer, Redacted, Stream } from "effect"
import { HookrailAdmin, type HookrailConfig } from "hookrail"
import type { Transport } from "hookrail/Transport"
import { createHmac, timingSafeEqual } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export const admin = (
  emulator: RunningEmulator,
  transport: Layer.Layer<Transport>,
  { adminToken = emulator.adminToken, ...options }:
    & Omit<HookrailConfig.AdminOptions, "adminToken">
    & { readonly adminToken?: string } = {}
) =>
  HookrailAdmin.layer({ baseUrl: emulator.adminUrl, ...options, adminToken: Redacted.make(adminToken) }).pipe(
    Layer.provide(transport),
    Layer.orDie
  )

export const rows = <A, E, R>(list: Stream.Stream<A, E, R>): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.map(Stream.runCollect(list), (all) => [...all])

/** Sends an event, and gives the ids of it and of its deliveries. */
export const send = async (
  emulator: RunningEmulator,
  topic: string,
  payload: unknown
): Promise<{ readonly event_id: string; readonly delivery_ids: ReadonlyArray<string> | null }> => {
  const response = await fetch(`${emulator.url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${emulator.apiKey}` },
    body: JSON.stringify({ topic, payload })
  })
  return await response.json() as never
}

/** Waits until a delivery is in a state. */
export const inState = (deliveryId: string, state: string) =>
  HookrailAdmin.deliveries.get(deliveryId).pipe(
    Effect.delay(2),
    Effect.repeat({ until: (it) => it.state === state })
  )

export const died = (deliveryId: string) => inState(deliveryId, "dead_lettered")

/** A receiver, which answers 400 unless it is told otherwise. With secrets it verifies. */
class Receiver {
  url = ""
  status = 400
  secrets: ReadonlyArray<string> = []
  forged = 503
  private readonly server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      response.statusCode = this.verified(request.headers, Buffer.concat(chunks)) ? this.status : this.forged
      response.end()
    })
  })

  private verified(headers: Readonly<Record<string, unknown>>, body: Buffer): boolean {
    if (this.secrets.length === 0) return true
    const [, t, v1 = ""] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["hookrail-signature"])) ?? []
    return this.secrets.some((secret) => {
      const message = Buffer.concat([Buffer.from(`${t}.${String(headers["hookrail-delivery-id"])}.`), body])
      return timingSafeEqual(createHmac("sha256", secret).update(message).digest(), Buffer.from(v1, "hex"))
    })
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve))
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
    return this
  }

  close(): Promise<void> {
    this.server.closeAllConnections()
    return new Promise((resolve) => this.server.close(() => resolve()))
  }
}

interface Dead {
  readonly endpointId: string
  readonly subscriptionId: string
  readonly eventIds: ReadonlyArray<string>
  readonly deliveryIds: ReadonlyArray<string>
}

/** Runs a test with a receiver. `dead` makes deliveries that it refuses; with an ordering key, the first of them blocks the others. */
export const withDead = <A, E>(
  emulator: RunningEmulator,
  test: (
    dead: (count: number, orderingKey?: string) => Effect.Effect<Dead, never, HookrailAdmin.HookrailAdmin>,
    reply: (status: number) => void,
    receiver: Receiver
  ) => Effect.Effect<A, E, HookrailAdmin.HookrailAdmin>
): Effect.Effect<A, E, HookrailAdmin.HookrailAdmin> =>
  Effect.acquireUseRelease(
    Effect.promise(() => new Receiver().open()),
    (receiver) => {
      const dead = (count: number, orderingKey?: string) =>
        Effect.gen(function*() {
          const { endpointId, id: subscriptionId } = emulator.subscribe({
            topic: "dead.topic",
            url: receiver.url,
            ordered: orderingKey !== undefined
          })
          const eventIds: Array<string> = []
          const deliveryIds: Array<string> = []
          for (let n = 0; n < count; n++) {
            const sent = yield* Effect.promise(() =>
              send(emulator, "dead.topic", { n, ...(orderingKey === undefined ? {} : { ordering_key: orderingKey }) })
            )
            eventIds.push(sent.event_id)
            // Other tests have subscriptions to this topic, too.
            const ours = yield* rows(HookrailAdmin.deliveries.list({ eventId: sent.event_id, endpointId }))
            deliveryIds.push(...ours.map(({ deliveryId }) => deliveryId))
          }
          for (const id of orderingKey === undefined ? deliveryIds : deliveryIds.slice(0, 1)) yield* died(id)
          return { endpointId, subscriptionId, eventIds, deliveryIds }
        }).pipe(Effect.orDie)
      return test(dead, (status) => {
        receiver.status = status
      }, receiver)
    },
    (receiver) => Effect.promise(() => receiver.close())
  )
