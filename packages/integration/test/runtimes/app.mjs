// A shop that sends and receives, with the facade and with the Effect client. Runs in any runtime; nothing here is Node's.
import { Hookrail } from "@hookrail/promise"
import { createWebhookHandler, reject } from "@hookrail/promise/webhooks"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as DeliveryLog from "hookrail/DeliveryLog"
import * as HookrailClient from "hookrail/HookrailClient"
import * as SignatureVerifier from "hookrail/SignatureVerifier"
import * as Transport from "hookrail/Transport"
import * as Webhooks from "hookrail/Webhooks"

/** What the test changes while the shop runs. */
const state = { secret: "whsec_before_the_first_request", seen: [], failures: 0 }

const seen = ({ deliveryId, payload, topic }) => state.seen.push({ topic, deliveryId, payload })

const fails = () => state.failures > 0 && state.failures-- > 0

// Made at the top level, where workers may do no I/O yet.
const facade = createWebhookHandler({
  secrets: () => state.secret,
  log: () => {},
  on: {
    "orders.rejected": () => {
      throw reject("never")
    },
    "orders.*": async (event) => {
      if (fails()) throw new Error("not now")
      seen(event)
    }
  }
})

const core = Webhooks.toWebHandler(ManagedRuntime.make(
  Webhooks.layer([
    Webhooks.on("orders.rejected", () => Webhooks.reject("never")),
    Webhooks.on(
      "orders.*",
      (event) => Effect.suspend(() => fails() ? Effect.fail("not now") : Effect.sync(() => seen(event)))
    )
  ]).pipe(
    Layer.provide([
      SignatureVerifier.layer({ secrets: Effect.sync(() => Redacted.make(state.secret)) }),
      DeliveryLog.layerMemory()
    ])
  )
))

const send = {
  facade: async ({ apiKey, baseUrl, payload, topic }) => {
    const client = new Hookrail({ apiKey, baseUrl })
    try {
      return await client.sendEvent(topic, payload)
    } finally {
      await client.close()
    }
  },
  core: ({ apiKey, baseUrl, payload, topic }) =>
    Effect.runPromise(
      HookrailClient.sendEvent(topic, payload).pipe(
        Effect.provide(
          HookrailClient.layer({ apiKey: Redacted.make(apiKey), baseUrl }).pipe(
            Layer.provide(Transport.layerFetch)
          )
        )
      )
    )
}

/** (Request) => Promise<Response>. The paths below /control are the test's. */
export const app = async (request) => {
  const { pathname } = new URL(request.url)
  switch (pathname) {
    case "/facade":
      return facade(request)
    case "/core":
      return core(request)
    case "/control/send/facade":
      return Response.json(await send.facade(await request.json()))
    case "/control/send/core":
      return Response.json(await send.core(await request.json()))
    case "/control/set":
      Object.assign(state, await request.json())
      return Response.json(state)
    case "/control/state":
      return Response.json(state)
    default:
      return new Response(null, { status: 404 })
  }
}
