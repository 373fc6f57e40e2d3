import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Effect, Layer, Logger, ManagedRuntime, Redacted } from "effect"
import { DeliveryLog, SignatureVerifier, Webhooks } from "../src/index.js"

const secret = Redacted.make("whsec_0123456789abcdef")

/** Gives the statuses of events that are signed for `body`, and what the handler got. */
const receiving = (maxBodyBytes?: number) => {
  const bodies: Array<string> = []
  const layer = Webhooks.layer(
    [Webhooks.otherwise(({ rawBody }) => Effect.sync(() => bodies.push(new TextDecoder().decode(rawBody))))],
    { maxBodyBytes }
  )
  const runtime = ManagedRuntime.make(
    layer.pipe(
      Layer.provide(Layer.merge(SignatureVerifier.layer({ secrets: secret }), DeliveryLog.layerMemory())),
      Layer.merge(Logger.remove(Logger.defaultLogger))
    )
  )
  const handler = Webhooks.toLambdaHandler(runtime)
  let deliveries = 0
  const status = async (body: string, event: Partial<Webhooks.LambdaEvent>) => {
    const deliveryId = `01DELIVERY${++deliveries}`
    const signature = await Effect.runPromise(SignatureVerifier.sign({ secret, deliveryId, body }))
    const result = await handler({
      httpMethod: "POST",
      headers: {
        "Hookrail-Topic": "t",
        "Hookrail-Event-Id": "01EVENT",
        "Hookrail-Delivery-Id": deliveryId,
        "Hookrail-Signature": signature
      },
      body,
      ...event
    })
    strictEqual(result.body, "")
    return result.statusCode
  }
  return { bodies, handler, status }
}

const base64 = (text: string) => Buffer.from(text).toString("base64")

describe("toLambdaHandler", () => {
  it("takes text and base64", async () => {
    const { bodies, status } = receiving()
    const body = "{\"a\": \"é😀\"}"
    deepStrictEqual(
      [
        await status(body, { body }),
        await status(body, { body, isBase64Encoded: false }),
        await status(body, { body: base64(body), isBase64Encoded: true })
      ],
      [204, 204, 204]
    )
    deepStrictEqual(bodies, [body, body, body])
    // Base64 that nobody decodes is not what was signed.
    strictEqual(await status(body, { body: base64(body) }), 503)
  })

  it("an absent body is an empty one: it verifies, and is no JSON", async () => {
    const { bodies, status } = receiving()
    for (const body of [null, undefined, ""]) {
      strictEqual(await status("", { body }), 422)
      strictEqual(await status("", { body, isBase64Encoded: true }), 422)
      strictEqual(await status("x", { body }), 503)
    }
    deepStrictEqual(bodies, [])
  })

  it("a body that was parsed, or is no base64, is gone", async () => {
    const { status } = receiving()
    for (const body of [{ a: 1 }, 1, true, []]) strictEqual(await status("{}", { body: body as never }), 500)
    strictEqual(await status("{}", { body: "%", isBase64Encoded: true }), 500)
  })

  it("takes exactly as many bytes as the limit", async () => {
    for (const limit of [10, 11, 12, 13]) {
      const { status } = receiving(limit)
      for (const [bytes, expected] of [[limit - 1, 204], [limit, 204], [limit + 1, 413], [limit + 2, 413]] as const) {
        // Of two bytes each, so that characters are no measure.
        const body = `"${"é".repeat((bytes - 2) >> 1)}${"x".repeat(bytes % 2)}"`
        strictEqual(Buffer.byteLength(body), bytes)
        strictEqual(await status(body, { body }), expected, `${bytes} of ${limit}`)
        strictEqual(await status(body, { body: base64(body), isBase64Encoded: true }), expected, `${bytes} of ${limit}`)
      }
    }
  })

  it("does not decode what is too large by far", async () => {
    const { status } = receiving(10)
    // No base64, which would be found only by decoding it.
    strictEqual(await status("{}", { body: "%".repeat(1_000), isBase64Encoded: true }), 413)
    strictEqual(await status("{}", { body: "%".repeat(16), isBase64Encoded: true }), 500)
    strictEqual(await status("{}", { body: "%".repeat(17), isBase64Encoded: true }), 413)
  })

  it("reads the method of both payload versions", async () => {
    const { handler, status } = receiving()
    const version2 = (method?: string) => ({ httpMethod: undefined, requestContext: { http: { method } } })
    deepStrictEqual(
      [
        await status("1", { httpMethod: "POST" }),
        await status("1", { httpMethod: "GET" }),
        await status("1", version2("POST")),
        await status("1", version2("GET")),
        await status("1", version2()),
        await status("1", { ...version2("POST"), httpMethod: "GET" }),
        await status("1", { httpMethod: "POST", requestContext: {} }),
        await status("1", { httpMethod: undefined }),
        await status("1", { headers: null })
      ],
      [204, 405, 204, 405, 405, 204, 204, 405, 400]
    )
    const refused = await handler({ httpMethod: "PUT" })
    deepStrictEqual([refused.statusCode, refused.headers["allow"]], [405, "POST"])
  })
})
