/** A program that only receives needs no other entry. */
import type * as Client from "@hookrail/promise"
import {
  type Claim,
  createWebhookHandler,
  type DeliveryLog,
  type Duration,
  type Handler,
  HookrailConfigError,
  type HookrailError,
  isHookrailError,
  type LambdaEvent,
  type LambdaResult,
  type Log,
  type LogEntry,
  reject,
  retryLater,
  type VerifiedWebhook,
  type WebhookEvent,
  type WebhookHandler,
  type WebhookHandlerOptions
} from "@hookrail/promise/webhooks"
import { describe, expect, test } from "tstyche"

describe("what /webhooks exports", () => {
  test("is enough to write down each part", () => {
    const handler: Handler<{ readonly id: string }> = async ({ payload, webhook }) => {
      expect(payload.id).type.toBe<string>()
      expect(webhook).type.toBe<VerifiedWebhook>()
      if (payload.id === "") throw reject("it has no id")
      return retryLater({ after: "5 minutes" })
    }
    const log: Log = (entry: LogEntry) => entry.message
    const deliveryLog = {} as DeliveryLog
    const refreshSecrets: Duration = "1 minute"
    const options: WebhookHandlerOptions<{ "orders.created": { readonly id: string } }> = {
      secrets: () => "whsec_...",
      refreshSecrets,
      on: { "orders.created": handler },
      otherwise: (event: WebhookEvent) => event.topic,
      deliveryLog,
      log
    }
    expect(createWebhookHandler(options)).type.toBe<WebhookHandler>()
    expect(deliveryLog.claim("d", 1)).type.toBe<Promise<Claim>>()
    expect<ReturnType<WebhookHandler["lambda"]>>().type.toBe<Promise<LambdaResult>>()
    expect<Parameters<WebhookHandler["lambda"]>>().type.toBe<[event: LambdaEvent]>()
  })

  test("is the same as elsewhere", () => {
    expect(HookrailConfigError).type.toBe<typeof Client.HookrailConfigError>()
    expect(isHookrailError).type.toBe<typeof Client.isHookrailError>()
    expect<HookrailError>().type.toBe<Client.HookrailError>()
    expect<LogEntry>().type.toBe<Client.LogEntry>()
  })

  test("console is a log", () => {
    expect(console).type.toBeAssignableTo<Log>()
    expect({ warn: () => {} }).type.not.toBeAssignableTo<Log>()
  })
})
