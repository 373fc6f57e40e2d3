import "reflect-metadata"
import { signWebhook } from "@hookrail/emulator"
import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { Controller, Module, Post, Req, Res } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { assert, it } from "vitest"

const secret = "whsec_0123456789abcdef"
const messages: Array<string> = []
const webhooks = createWebhookHandler({
  secrets: secret,
  on: { "orders.*": () => undefined },
  log: ({ message }) => messages.push(message)
})

/** What decorators do, by hand: the tests are compiled without them. */
class WebhooksController {
  receive(request: object, response: object): Promise<void> {
    return webhooks.node(request, response)
  }
}
const { prototype } = WebhooksController
Controller("controller")(WebhooksController)
Post()(prototype, "receive", Object.getOwnPropertyDescriptor(prototype, "receive")!)
Req()(prototype, "receive", 0)
Res()(prototype, "receive", 1)

class AppModule {}
Module({ controllers: [WebhooksController] })(AppModule)

for (
  const [path, rawBody, expected] of [
    ["middleware", false, 204],
    ["controller", true, 204],
    ["controller", false, 500]
  ] as const
) {
  it(`as a ${path} of Nest with rawBody: ${rawBody} it answers ${expected}`, async () => {
    const app = await NestFactory.create(AppModule, { rawBody, logger: false })
    app.use("/middleware", webhooks.node)
    await app.listen(0, "127.0.0.1")
    try {
      const webhook = signWebhook({ secret, topic: "orders.created", payload: { n: 1 } })
      const response = await fetch(`${await app.getUrl()}/${path}`, {
        method: "POST",
        headers: webhook.headers,
        body: webhook.body
      })
      assert.strictEqual(response.status, expected, messages.join("\n"))
      if (expected === 500) assert.isTrue(messages.some((message) => message.includes("rawBody: true")))
    } finally {
      await app.close()
    }
  })
}
