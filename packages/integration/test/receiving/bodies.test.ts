import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Agent } from "node:http"
import { post, postAndHangUp, postInPieces } from "./http.js"
import { sign, startReceiver } from "./receiver.js"
import { ways } from "./ways.js"

const withNote = (bytes: number) => sign({ payload: { order_id: "o_1", note: "x".repeat(bytes) } })

/** Over the default limit. */
const large = withNote(2 * 1024 * 1024)

/** What escapes from a promise or a listener meanwhile. */
const escapes = () => {
  const escaped: Array<unknown> = []
  const note = (error: unknown) => void escaped.push(error)
  process.on("uncaughtException", note).on("unhandledRejection", note)
  return {
    escaped,
    [Symbol.dispose]: () => void process.off("uncaughtException", note).off("unhandledRejection", note)
  }
}

describe.each(ways)("bodies through $way", ({ serve }) => {
  it("of 2 MB are refused, and the server goes on", async () => {
    await using receiver = await startReceiver(serve)
    const refused = await post(receiver.url, large)
    deepStrictEqual([refused.status, refused.body], [413, ""])
    strictEqual(receiver.events.length, 0)
    strictEqual((await post(receiver.url, sign())).status, 204)
  })

  it(
    "of 2 MB are refused, and a client that keeps its connection goes on",
    { timeout: 3000 },
    async () => {
      await using receiver = await startReceiver(serve)
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      strictEqual((await post(receiver.url, large, agent)).status, 413)
      strictEqual((await post(receiver.url, sign(), agent)).status, 204)
      agent.destroy()
    }
  )

  it("of 2 MB in pieces are refused, and the server goes on", async () => {
    await using receiver = await startReceiver(serve)
    const refused = await postInPieces(receiver.url, large, 64 * 1024)
    deepStrictEqual([refused.status, refused.body], [413, ""])
    strictEqual(receiver.events.length, 0)
    strictEqual((await post(receiver.url, sign())).status, 204)
  })

  it("of 2 MB are handled under a larger limit", async () => {
    await using receiver = await startReceiver(serve, { maxBodyBytes: 4 * 1024 * 1024 })
    strictEqual((await post(receiver.url, large)).status, 204)
    strictEqual(receiver.events[0]!.rawBody.length, large.body.length)
  })

  it("of exactly the limit are handled", async () => {
    const exact = withNote(5000)
    await using receiver = await startReceiver(serve, { maxBodyBytes: exact.body.length })
    strictEqual((await post(receiver.url, exact)).status, 204)
    strictEqual((await postInPieces(receiver.url, withNote(5000), 1000)).status, 204)
    strictEqual(receiver.events.length, 2)
  })

  it("of a byte more than the limit are refused", async () => {
    const over = withNote(5000)
    await using receiver = await startReceiver(serve, { maxBodyBytes: over.body.length - 1 })
    strictEqual((await post(receiver.url, over)).status, 413)
    strictEqual((await postInPieces(receiver.url, over, 1000)).status, 413)
    strictEqual(receiver.events.length, 0)
  })

  it("in many pieces are put together", async () => {
    await using receiver = await startReceiver(serve)
    const webhook = sign({ payload: { order_id: "o_…é".repeat(1000) } })
    strictEqual((await postInPieces(receiver.url, webhook, 37)).status, 204)
    strictEqual(receiver.events[0]!.payload.order_id, "o_…é".repeat(1000))
  })

  it.each(["text/plain", undefined, "application/x-www-form-urlencoded"])(
    "of content type %s are handled",
    async (contentType) => {
      await using receiver = await startReceiver(serve)
      const { body, headers: { "content-type": _, ...headers } } = sign()
      const typed = contentType === undefined ? headers : { ...headers, "content-type": contentType }
      strictEqual((await post(receiver.url, { headers: typed, body })).status, 204)
      strictEqual(receiver.events.length, 1)
    }
  )

  it("that are cut off run nothing, and the server goes on", async () => {
    using uncaught = escapes()
    await using receiver = await startReceiver(serve)
    const webhook = withNote(1000)
    await postAndHangUp(receiver.url, webhook)
    strictEqual(receiver.events.length, 0)
    // Not 200 or 425: the first half has claimed nothing.
    strictEqual((await post(receiver.url, webhook)).status, 204)
    strictEqual(receiver.events.length, 1)
    deepStrictEqual(uncaught.escaped, [])
  })
})
