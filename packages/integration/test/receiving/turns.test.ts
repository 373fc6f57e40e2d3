import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { NodeWebhooks } from "@hookrail/node"
import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { Effect } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"
import { Readable } from "node:stream"
import { post } from "./http.js"
import { secret, sign, startReceiver } from "./receiver.js"
import { listen, type Serve } from "./ways.js"

type Sent = ReturnType<typeof sign>

const idOf = ({ headers }: Pick<Sent, "headers"> | IncomingMessage): string =>
  String((headers as Record<string, unknown>)["hookrail-delivery-id"])

/** A request whose body is there at once. */
const requestOf = ({ body, headers }: Sent): IncomingMessage =>
  Object.assign(Readable.from([Buffer.from(body)]), { method: "POST", headers }) as unknown as IncomingMessage

/** A response that keeps what is written. */
class Kept {
  readonly destroyed: boolean = false
  readonly headersSent = false
  status = 0
  fault: unknown

  writeHead(status: number): this {
    this.status = status
    return this
  }

  end(): void {}

  destroy(fault: unknown): void {
    this.fault = fault
  }
}

const listening = async (options: Parameters<typeof startReceiver>[1]) => {
  let listener: NodeWebhooks.Listener | undefined
  const serve: Serve = async (runtime) => {
    await runtime.runtime()
    listener = NodeWebhooks.listener(runtime)
    return { url: "", close: async () => {} }
  }
  const receiver = await startReceiver(serve, options)
  const take = (request: IncomingMessage, response: Kept): Promise<void> =>
    listener!(request, response as unknown as ServerResponse)
  // The first one is handled in a fiber.
  await take(requestOf(sign()), new Kept())
  return { take, [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose]() }
}

describe("requests that arrive in the same turn of the event loop", () => {
  it("are handled when all of them have been read, and answered when all of them have been handled", async () => {
    const steps: Array<string> = []
    await using receiver = await listening({ handle: () => Effect.sync(() => steps.push("handled")) })
    steps.length = 0
    const responses = [new Kept(), new Kept(), new Kept()]
    await Promise.all(responses.map((response) => {
      const request = requestOf(sign())
      request.on("end", () => steps.push("read"))
      response.end = () => steps.push("answered")
      return receiver.take(request, response)
    }))
    deepStrictEqual(steps, ["read", "handled", "answered"].flatMap((step) => [step, step, step]))
    deepStrictEqual(responses.map(({ status }) => status), [204, 204, 204])
  })

  it("are handled though their sender is gone as soon as the body is whole", async () => {
    await using receiver = await listening({})
    const request = requestOf(sign())
    const response = new Kept()
    const taken = receiver.take(request, response)
    // After the listener of the receiver.
    request.on("end", () => request.emit("close"))
    await taken
    strictEqual(response.status, 204)
  })

  it("are answered though the response of another one throws", async () => {
    await using receiver = await listening({})
    const bad = new Kept()
    bad.writeHead = () => {
      throw new Error("bug of a middleware")
    }
    const good = new Kept()
    await Promise.all([receiver.take(requestOf(sign()), bad), receiver.take(requestOf(sign()), good)])
    strictEqual(String(bad.fault), "Error: bug of a middleware")
    strictEqual(good.status, 204)
  })

  it("each keep their own async context", async () => {
    const current = new AsyncLocalStorage<string>()
    const handled: Array<readonly [string, string | undefined]> = []
    const finished: Array<readonly [string, string | undefined]> = []
    const serve: Serve = async (runtime) => {
      await runtime.runtime()
      const listener = NodeWebhooks.listener(runtime)
      return listen(createServer((request, response) => {
        const id = idOf(request)
        response.on("finish", () => finished.push([id, current.getStore()]))
        current.run(id, () => void listener(request, response))
      }))
    }
    await using receiver = await startReceiver(serve, {
      handle: ({ deliveryId }) => Effect.sync(() => handled.push([deliveryId, current.getStore()]))
    })
    await post(receiver.url, sign())
    const sent = Array.from({ length: 50 }, () => sign())
    const answers = await Promise.all(sent.map((webhook) => post(receiver.url, webhook)))
    deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([204]))
    const ids = new Set(sent.map(idOf))
    const own = sent.map((webhook) => [idOf(webhook), idOf(webhook)] as const).sort()
    deepStrictEqual(handled.filter(([id]) => ids.has(id)).sort(), own)
    deepStrictEqual(finished.filter(([id]) => ids.has(id)).sort(), own)
  })

  it("are answered before drain resolves", async () => {
    let finish = () => {}
    const done = new Promise<void>((resolve) => finish = resolve)
    const webhooks = createWebhookHandler({ secrets: secret, otherwise: () => done })
    const responses = [new Kept(), new Kept()]
    for (const response of responses) void webhooks.node(requestOf(sign()), response)
    await new Promise(setImmediate)
    const drained = webhooks.drain()
    finish()
    await drained
    deepStrictEqual(responses.map(({ status }) => status), [204, 204])
  })
})
