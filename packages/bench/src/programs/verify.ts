/** The contenders of the section "verify". Each verifies a signature of its own format, over the same body. */
import { verifySignature } from "@hookrail/promise/verify"
import { Effect, Redacted } from "effect"
import * as Effect4 from "effect-4"
import { SignatureVerifier } from "hookrail"
import * as Hookrail4 from "hookrail-4"
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto"
import { Webhook as StandardWebhook } from "standardwebhooks"
import Stripe from "stripe"
import { Webhook as SvixWebhook } from "svix"
import type { Operations } from "../interleave.js"
import { interleave, warmUp } from "../interleave.js"
import type { Rounds } from "../protocol.js"
import { say } from "../protocol.js"

const [rounds, batchMicros, ...sizes] = process.argv.slice(2).map(Number) as [number, number, ...Array<number>]

const deliveryId = "01JZ8Q4T6WTVWXYZ0123456789"
const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"
const key = createSecretKey(secret, "utf8")
const verifier = Effect.runSync(SignatureVerifier.make({ secrets: Redacted.make(secret) }))
const verifier4 = Effect4.Effect.runSync(
  Hookrail4.SignatureVerifier.make({ secrets: Effect4.Redacted.make(secret) })
)
const webKey = await crypto.subtle.importKey("raw", Buffer.from(secret), { name: "HMAC", hash: "SHA-256" }, false, [
  "verify"
])
// Secrets of this format are base64.
const standardSecret = `whsec_${Buffer.from("0123456789abcdef0123456789abcdef").toString("base64")}`
const standardWebhook = new StandardWebhook(standardSecret)
const svixWebhook = new SvixWebhook(standardSecret)
const stripe = new Stripe("sk_test_benchmark")

const must = (verified: boolean): void => {
  if (!verified) throw new Error("a genuine signature was refused")
}

/** A JSON object of the given size: some contenders parse it. */
const bodyOf = (bytes: number): Buffer => {
  const start = "{\"order_id\":\"ord_01JZ8Q4T6W\",\"note\":\""
  return Buffer.from(`${start}${"x".repeat(bytes - start.length - 2)}"}`)
}

/** Within a program, as in a handler: starting a fiber for each costs as much as the MAC. */
const verifyInFiber = (webhook: SignatureVerifier.SignedWebhook) => (times: number): Promise<void> => {
  let left = times
  return Effect.runPromise(
    Effect.whileLoop({ while: () => left-- > 0, body: () => verifier.verify(webhook), step: () => {} })
  )
}

const verifyInFiber4 = (webhook: SignatureVerifier.SignedWebhook) => (times: number): Promise<void> => {
  let left = times
  return Effect4.Effect.runPromise(
    Effect4.Effect.whileLoop({ while: () => left-- > 0, body: () => verifier4.verify(webhook), step: () => {} })
  )
}

const operationsOn = (body: Buffer): Operations => {
  const now = new Date()
  const seconds = Math.floor(now.getTime() / 1000)

  const prefix = `${seconds}.${deliveryId}.`
  const macOf = (): Buffer => createHmac("sha256", key).update(prefix).update(body).digest()
  const mac = Uint8Array.from(macOf())
  const signature = `t=${seconds},v1=${Buffer.from(mac).toString("hex")}`

  const standardSignature = standardWebhook.sign(deliveryId, now, body)
  const standardHeaders = {
    "webhook-id": deliveryId,
    "webhook-timestamp": String(seconds),
    "webhook-signature": standardSignature
  }
  const svixHeaders = {
    "svix-id": deliveryId,
    "svix-timestamp": String(seconds),
    "svix-signature": standardSignature
  }
  const stripeHeader = stripe.webhooks.generateTestHeaderString({
    payload: body.toString(),
    secret,
    timestamp: seconds
  })

  return {
    "createHmac + timingSafeEqual": () => must(timingSafeEqual(macOf(), mac)),
    "@hookrail/promise/verify": () => verifySignature({ secrets: secret, signature, deliveryId, body }),
    "hookrail@3 SignatureVerifier": { repeat: verifyInFiber({ signature, deliveryId, body }) },
    "hookrail@4 SignatureVerifier": { repeat: verifyInFiber4({ signature, deliveryId, body }) },
    "hookrail@3 SignatureVerifier, runSync": () => Effect.runSync(verifier.verify({ signature, deliveryId, body })),
    "hookrail@4 SignatureVerifier, runSync": () =>
      Effect4.Effect.runSync(verifier4.verify({ signature, deliveryId, body })),
    "WebCrypto": () => crypto.subtle.verify("HMAC", webKey, mac, Buffer.concat([Buffer.from(prefix), body])).then(must),
    "standardwebhooks": () => standardWebhook.verify(body, standardHeaders),
    "svix": () => svixWebhook.verify(body, svixHeaders),
    "stripe": () => stripe.webhooks.constructEvent(body, stripeHeader, secret)
  }
}

await warmUp(operationsOn(bodyOf(256)))
const results: Record<number, Rounds> = {}
for (const size of sizes) results[size] = await interleave(operationsOn(bodyOf(size)), { rounds, batchMicros })
say(results)
process.exit()
