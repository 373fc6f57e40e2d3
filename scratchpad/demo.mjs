// The main job from end to end, on the embedded emulator: events go out through `HookrailClient`, arrive as signed
// webhooks at a receiver of our own, are verified there, and their status is read back. Then the outbox: see outbox.mjs.
import { startEmulator } from "@hookrail/emulator"
import { NodeHookrail } from "@hookrail/node"
import { Effect, Layer, Redacted } from "effect"
import { HookrailClient, SignatureVerifier } from "hookrail"
import { createServer } from "node:http"
import { outboxDemo } from "./outbox.mjs"

const began = performance.now()
const say = (line) => console.log(`${`${Math.round(performance.now() - began)} ms`.padStart(8)}  ${line}`)

/** A receiver that verifies each webhook, and fails once on the first delivery of an invoice. */
const receiver = Effect.acquireRelease(
  Effect.async((resume) => {
    let verify
    let invoiceFailed = false
    const answer = (response, status, line) => {
      say(`  receiver answers ${status}: ${line}`)
      response.writeHead(status).end()
    }
    const server = createServer((request, response) => {
      const chunks = []
      request.on("data", (chunk) => chunks.push(chunk))
      request.on("end", () => {
        // The raw bytes: a body that was parsed and written again has another signature.
        const program = Effect.match(verify(request.headers, Buffer.concat(chunks)), {
          // A retryable status: a 401 would put a genuine delivery among the dead letters while a secret changes.
          onFailure: (error) => answer(response, 503, error.message),
          onSuccess: ({ body, topic }) => {
            if (topic === "invoices.paid" && !invoiceFailed) {
              invoiceFailed = true
              return answer(response, 503, `${topic} verified, but the books are closed: try again`)
            }
            answer(response, 204, `${topic} verified: ${body}`)
          }
        })
        Effect.runFork(program)
      })
    })
    server.listen(0, "127.0.0.1", () =>
      resume(Effect.succeed({
        url: `http://127.0.0.1:${server.address().port}/webhooks`,
        verifyWith: (verifier) => {
          verify = verifier.verifyRequest
        },
        close: () => {
          server.closeAllConnections()
          server.close()
        }
      })))
  }),
  ({ close }) => Effect.sync(close)
)

const emulator = Effect.acquireRelease(
  Effect.promise(() => startEmulator({ sweepIntervalMs: 0, backoff: { baseMs: 300, capMs: 1_000 } })),
  (emulator) => Effect.promise(() => emulator.close())
)

const timeline = (name, status) => {
  say(`${name}: event ${status.eventId} on ${status.topic}`)
  for (const delivery of status.deliveries) {
    for (const attempt of delivery.attempts) {
      const result = attempt.httpStatus ?? attempt.errorClass
      say(`  attempt ${attempt.attemptNo}: ${attempt.status} (${result}, ${attempt.latencyMs} ms)`)
    }
    say(`  => ${delivery.state}`)
  }
}

const jobs = Effect.gen(function*() {
  say("1. An event goes out and is delivered.")
  const order = yield* HookrailClient.sendEvent("orders.created", { order_id: "o_1", amount: 4200 }, {
    idempotencyKey: "order-o_1-created"
  })
  say(`  accepted as ${order.eventId}`)
  const orderStatus = yield* HookrailClient.awaitEvent(order.eventId)

  say("2. The same event again, as after a crash: same idempotency key, so it is stored once.")
  const again = yield* HookrailClient.sendEvent("orders.created", { order_id: "o_1", amount: 4200 }, {
    idempotencyKey: "order-o_1-created"
  })
  say(`  replayed: ${again.replayed}, same event: ${again.eventId === order.eventId}`)

  say("3. An event whose receiver fails at first: Hookrail tries again.")
  const invoice = yield* HookrailClient.sendEvent("invoices.paid", { invoice_id: "i_7" })
  const invoiceStatus = yield* HookrailClient.awaitEvent(invoice.eventId)

  say("4. A key that belongs to another payload: refused, with a typed error.")
  const refused = yield* HookrailClient.sendEvent("orders.created", { order_id: "o_2", amount: 1 }, {
    idempotencyKey: "order-o_1-created"
  }).pipe(Effect.flip)
  say(`  ${refused._tag}, outcome ${refused.outcome}: ${refused.message}`)

  say("5. A payload that could never be stored: found before anything is sent.")
  const invalid = yield* HookrailClient.sendEvent("orders.created", { total: Number.NaN }).pipe(Effect.flip)
  say(`  ${invalid._tag}, outcome ${invalid.outcome}: ${invalid.message}`)

  say("Timeline")
  timeline("order", orderStatus)
  timeline("invoice", invoiceStatus)

  const succeeded = [orderStatus, invoiceStatus].every(({ deliveries }) =>
    deliveries.length === 1 && deliveries[0].state === "succeeded"
  )
  const asTold = again.replayed && again.eventId === order.eventId && refused._tag === "ConflictError" &&
    invalid._tag === "InvalidPayloadError" && invoiceStatus.deliveries[0].attempts.length === 2
  if (!succeeded || !asTold) return yield* Effect.dieMessage("the demo did not go as told")
})

const main = Effect.gen(function*() {
  const { url: receiverUrl, verifyWith } = yield* receiver
  const { addEndpoint, apiKey, subscribe, url } = yield* emulator
  const { id: endpointId, secret } = addEndpoint({ url: receiverUrl })
  subscribe({ topic: "*", endpointId })
  verifyWith(yield* SignatureVerifier.make({ secrets: Redacted.make(secret) }))
  say(`emulator at ${url}, receiver at ${receiverUrl}`)
  yield* jobs.pipe(
    Effect.provide(NodeHookrail.layer({ apiKey: Redacted.make(apiKey), baseUrl: url }).pipe(Layer.orDie))
  )
  say("All deliveries succeeded.")
})

await Effect.runPromise(Effect.scoped(main))
await outboxDemo(say)
