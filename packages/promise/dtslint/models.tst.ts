/** What this package takes and gives is what the core does, without Effect. */
import type * as Facade from "@hookrail/promise"
import type { LambdaEvent, LambdaResult } from "@hookrail/promise/webhooks"
import type { Duration } from "effect"
import type {
  Delivery,
  Event,
  HookrailClient,
  HookrailConfig,
  HookrailError,
  SignatureVerifier,
  Webhooks
} from "hookrail"
import type { RetryPolicy } from "hookrail"
import type * as Plain from "hookrail/options/model"
import { describe, expect, test } from "tstyche"

describe("models", () => {
  test("are the core's own", () => {
    expect<Facade.EventAccepted>().type.toBe<Event.EventAccepted>()
    expect<Facade.EventStatus>().type.toBe<Event.EventStatus>()
    expect<Facade.Delivery>().type.toBe<Delivery.Delivery>()
    expect<Facade.Attempt>().type.toBe<Delivery.Attempt>()
    expect<Facade.Problem>().type.toBe<HookrailError.Problem>()
    expect<Facade.Outcome>().type.toBe<HookrailError.Outcome>()
    expect<Facade.Argument>().type.toBe<HookrailError.Argument>()
    expect<Facade.VerifiedWebhook>().type.toBe<SignatureVerifier.VerifiedWebhook>()
    expect<Facade.WebhookBody>().type.toBe<SignatureVerifier.WebhookBody>()
    expect<Facade.WebhookHeaders>().type.toBe<SignatureVerifier.WebhookHeaders>()
  })

  test("of Lambda are like the core's", () => {
    expect<LambdaEvent>().type.toBe<Webhooks.LambdaEvent>()
    expect<LambdaResult>().type.toBe<Webhooks.LambdaResult>()
  })
})

/** The options of both packages are made of the same shapes. */
describe("options", () => {
  test("of the core are the plain shapes, with what Effect takes", () => {
    type Retry = HookrailConfig.Retry
    type Input = Duration.Input
    expect<RetryPolicy.Options>().type.toBe<Plain.RetryOptions<Input>>()
    expect<Omit<HookrailConfig.Options, "apiKey" | "propagateTrace">>().type.toBe<
      Omit<Plain.ClientOptions<string, Input, Retry>, "apiKey">
    >()
    expect<Event.ReadOptions>().type.toBe<Plain.ReadOptions<Input, Retry>>()
    expect<Omit<Event.SendOptions, "onInterrupt">>().type.toBe<Plain.SendOptions<Input, Retry>>()
    expect<Omit<HookrailClient.AwaitOptions, "schedule">>().type.toBe<Plain.AwaitOptions<Input, Retry>>()
    expect<HookrailClient.SendEventsOptions>().type.toBe<Plain.SendEventsOptions<"fail">>()
  })

  test("of this package are the same, with what JavaScript has", () => {
    expect<keyof Facade.HookrailOptions>().type.toBe<
      | Exclude<keyof HookrailConfig.Options, "propagateTrace">
      | "events"
      | "fetch"
      | "log"
      | "onRetry"
      | "traceparent"
      | "transport"
    >()
    expect<NonNullable<Facade.HookrailOptions["fetch"]>>().type.toBe<
      (url: string, init: RequestInit) => Promise<Response>
    >()
    expect<Facade.HookrailOptions>().type.not.toBeAssignableFrom<{ appInfo: { version: string } }>()
    expect<Facade.SendOptions>().type.toBeAssignableFrom<{ headers: { a: string }; traceparent: string }>()
    expect<Facade.SendOptions>().type.not.toBeAssignableFrom<{ headers: { a: number } }>()
    expect<keyof Facade.RetryOptions>().type.toBe<keyof RetryPolicy.Options>()
    expect<keyof Facade.ReadOptions>().type.toBe<keyof Event.ReadOptions | "signal">()
    expect<keyof Facade.SendOptions>().type.toBe<
      Exclude<keyof Event.SendOptions, "onInterrupt"> | "signal"
    >()
    expect<keyof Facade.AwaitOptions>().type.toBe<
      Exclude<keyof HookrailClient.AwaitOptions, "schedule"> | "pollInterval" | "signal"
    >()
    expect<keyof Facade.SendEventsOptions>().type.toBe<keyof HookrailClient.SendEventsOptions | "signal">()
  })

  test("a duration of this package is one of the core", () => {
    expect<Duration.Input>().type.toBeAssignableFrom<Facade.Duration>()
  })
})
