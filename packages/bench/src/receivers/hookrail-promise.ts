import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { check, receive, secret } from "../receiver.js"

const webhooks = createWebhookHandler({
  secrets: secret,
  on: { "orders.*": async ({ payload }) => check(payload) }
})

receive((request, response) => void webhooks.node(request, response))
