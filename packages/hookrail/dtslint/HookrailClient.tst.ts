import type { ConfigError, Effect, Layer } from "effect"
import { Schema } from "effect"
import { expect, test } from "tstyche"
import { type Event, HookrailClient, HookrailError, Topic, type Transport } from "../src/index.js"

type Client = HookrailClient.HookrailClient

test("accessors and layers", () => {
  expect(HookrailClient.sendEvent("t", {})).type.toBe<
    Effect.Effect<Event.EventAccepted, HookrailError.SendError, Client>
  >()
  expect(HookrailClient.getEvent("e")).type.toBe<Effect.Effect<Event.EventStatus, HookrailError.ReadError, Client>>()
  expect(HookrailClient.awaitEvent("e")).type.toBe<Effect.Effect<Event.EventStatus, HookrailError.AwaitError, Client>>()
  expect(HookrailClient.layer()).type.toBe<
    Layer.Layer<Client, HookrailError.HookrailConfigError, Transport.Transport>
  >()
  expect(HookrailClient.layerConfig({})).type.toBe<
    Layer.Layer<Client, ConfigError.ConfigError | HookrailError.HookrailConfigError, Transport.Transport>
  >()
})

test("a typed topic checks its payload", () => {
  const topic = Topic.make("t", Schema.Struct({ at: Schema.Date }))
  expect(HookrailClient.sendEvent(topic, { at: new Date() })).type.toBe<
    Effect.Effect<Event.EventAccepted, HookrailError.SendError, Client>
  >()
  // Not `toBeCallableWith`: it takes the plugin's remark on an effect that nobody runs for the error.
  const wrong = () =>
    // @ts-expect-error No overload matches this call
    HookrailClient.sendEvent(topic, { at: 1 })
  void wrong
})

test("errors narrow", () => {
  const error = {} as HookrailError.SendError
  if (error._tag === "RetryError") {
    expect(error.outcome).type.toBe<HookrailError.Outcome>()
    expect(error.idempotencyKey).type.toBe<string | undefined>()
  }
  const any = {} as HookrailError.HookrailError
  if (HookrailError.isRetryable(any)) {
    expect(any).type.toBeAssignableTo<HookrailError.RetryableError | HookrailError.RetryError>()
  }
})
