import { Context, type Effect, type Layer, type ManagedRuntime, type Runtime, Schema } from "effect"
import { describe, expect, test } from "tstyche"
import { type DeliveryLog, type HookrailError, type SignatureVerifier, Topic, Webhooks } from "../src/index.js"

class Database extends Context.Tag("Database")<Database, { readonly url: string }>() {}
class Mailer extends Context.Tag("Mailer")<Mailer, { readonly from: string }>() {}

interface Failure {
  readonly _tag: "Failure"
}

declare const plain: Effect.Effect<void>
declare const withDatabase: Effect.Effect<void, Failure, Database>
declare const withMailer: Effect.Effect<number, Failure, Mailer>

const Placed = Topic.make("orders.placed", Schema.Struct({ id: Schema.String, at: Schema.Date }))

type Base = DeliveryLog.DeliveryLog | SignatureVerifier.SignatureVerifier

describe("on", () => {
  test("infers the payload from a typed topic, as it is decoded", () => {
    Webhooks.on(Placed, (event) => {
      expect(event).type.toBe<Webhooks.WebhookEvent<{ readonly id: string; readonly at: Date }>>()
      expect(event.payload.at).type.toBe<Date>()
      return plain
    })
  })

  test("gives an unknown payload for a name or a pattern", () => {
    Webhooks.on("orders.*", (event) => {
      expect(event).type.toBe<Webhooks.WebhookEvent>()
      expect(event.payload).type.toBe<unknown>()
      return plain
    })
    Webhooks.otherwise((event) => {
      expect(event.payload).type.toBe<unknown>()
      return plain
    })
  })

  test("keeps what a handler needs, and not what it fails with", () => {
    expect(Webhooks.on("a", () => plain)).type.toBe<Webhooks.Handler>()
    expect(Webhooks.on(Placed, () => withDatabase)).type.toBe<Webhooks.Handler<Database>>()
    expect(Webhooks.on("a", () => withMailer)).type.toBe<Webhooks.Handler<Mailer>>()
    expect(Webhooks.otherwise(() => withMailer)).type.toBe<Webhooks.Handler<Mailer>>()
    expect(Webhooks.on("a", () => Webhooks.reject("no"))).type.toBe<Webhooks.Handler>()
    expect(Webhooks.on("a", () => Webhooks.retryLater({ after: "1 minute" }))).type.toBe<Webhooks.Handler>()
  })

  test("takes effects alone", () => {
    expect(Webhooks.on).type.not.toBeCallableWith("a", () => undefined)
    expect(Webhooks.on).type.not.toBeCallableWith("a", () => Promise.resolve())
    expect(Webhooks.on).type.not.toBeCallableWith(1, () => plain)
  })

  test("refuses a handler of another payload", () => {
    expect(Webhooks.on).type.not.toBeCallableWith(Placed, (_: Webhooks.WebhookEvent<{ readonly id: number }>) => plain)
    expect(Webhooks.on).type.not.toBeCallableWith("a", (_: Webhooks.WebhookEvent<{ readonly id: string }>) => plain)
    expect(Webhooks.on).type.toBeCallableWith(Placed, (_: Webhooks.WebhookEvent<{ readonly id: string }>) => plain)
    expect(Webhooks.on).type.toBeCallableWith(Placed, (_: Webhooks.WebhookEvent) => plain)
  })
})

describe("make and layer", () => {
  const handlers = [
    Webhooks.on(Placed, () => withDatabase),
    Webhooks.on("a", () => withMailer),
    Webhooks.otherwise(() => plain)
  ] as const

  test("need what any of the handlers needs, and fail with no handler's error", () => {
    expect(Webhooks.make(handlers)).type.toBe<
      Effect.Effect<Webhooks.Service, HookrailError.HookrailConfigError, Base | Database | Mailer>
    >()
    expect(Webhooks.layer(handlers)).type.toBe<
      Layer.Layer<Webhooks.Webhooks, HookrailError.HookrailConfigError, Base | Database | Mailer>
    >()
    expect(Webhooks.layer([Webhooks.on(Placed, () => withDatabase), Webhooks.on("a", () => plain)])).type.toBe<
      Layer.Layer<Webhooks.Webhooks, HookrailError.HookrailConfigError, Base | Database>
    >()
  })

  test("need the log and the verifier alone, if the handlers need nothing", () => {
    expect(Webhooks.make([Webhooks.on("a", () => plain)])).type.toBe<
      Effect.Effect<Webhooks.Service, HookrailError.HookrailConfigError, Base>
    >()
    expect(Webhooks.layer({} as ReadonlyArray<Webhooks.Handler>)).type.toBe<
      Layer.Layer<Webhooks.Webhooks, HookrailError.HookrailConfigError, Base>
    >()
    expect(Webhooks.make([])).type.toBe<
      Effect.Effect<Webhooks.Service, HookrailError.HookrailConfigError, Base>
    >()
  })

  test("take a list that was made elsewhere", () => {
    expect(Webhooks.make({} as Array<Webhooks.Handler<Database | Mailer>>)).type.toBe<
      Effect.Effect<Webhooks.Service, HookrailError.HookrailConfigError, Base | Database | Mailer>
    >()
  })

  test("take no option that there is not", () => {
    expect(Webhooks.layer).type.not.toBeCallableWith(handlers, { onUnhandled: "ignore" })
    expect(Webhooks.layer).type.not.toBeCallableWith(handlers, { timeOut: "1 second" })
    expect(Webhooks.layer).type.toBeCallableWith(handlers, { timeout: undefined, onUnverified: "reject" })
  })
})

describe("what is not verified", () => {
  interface Lookalike {
    readonly deliveryId: string
    readonly eventId: string
    readonly topic: string
    readonly body: Uint8Array
    readonly signedAtSeconds: number
    readonly secretIndex: number
  }

  const event = {
    topic: "a",
    eventId: "e",
    deliveryId: "d",
    payload: {} as unknown,
    receivedAt: new Date(0),
    rawBody: new Uint8Array()
  }

  test("is no VerifiedWebhook, however it looks", () => {
    expect<SignatureVerifier.VerifiedWebhook>().type.not.toBeAssignableFrom<Lookalike>()
    expect<SignatureVerifier.VerifiedWebhook>().type.not.toBeAssignableFrom<SignatureVerifier.SignedWebhook>()
    expect<Lookalike>().type.not.toBeAssignableFrom<SignatureVerifier.VerifiedWebhook>()
    expect<Lookalike & { readonly [name: string | symbol]: unknown }>().type.not.toBeAssignableTo<
      SignatureVerifier.VerifiedWebhook
    >()
  })

  test("is no WebhookEvent", () => {
    const handle = (_: Webhooks.WebhookEvent) => true
    expect(handle).type.not.toBeCallableWith(event)
    expect(handle).type.not.toBeCallableWith({ ...event, webhook: {} as Lookalike })
    expect(handle).type.toBeCallableWith({ ...event, webhook: {} as SignatureVerifier.VerifiedWebhook })
  })

  test("an event of one payload is one of any, and not the other way round", () => {
    expect<Webhooks.WebhookEvent>().type.toBeAssignableFrom<Webhooks.WebhookEvent<{ readonly id: string }>>()
    expect<Webhooks.WebhookEvent<{ readonly id: string }>>().type.not.toBeAssignableFrom<Webhooks.WebhookEvent>()
  })
})

describe("ways in", () => {
  type W = Webhooks.Webhooks

  test("toWebHandler makes a handler of requests", () => {
    expect(Webhooks.toWebHandler({} as ManagedRuntime.ManagedRuntime<W, never>)).type.toBe<
      (request: Request) => Promise<Response>
    >()
  })

  test("each takes a runtime that has more than Webhooks, and whose layer may fail", () => {
    for (const way of [Webhooks.toWebHandler, Webhooks.toLambdaHandler, Webhooks.toPromise]) {
      expect(way).type.toBeCallableWith({} as ManagedRuntime.ManagedRuntime<W, never>)
      expect(way).type.toBeCallableWith({} as ManagedRuntime.ManagedRuntime<W | Database, Failure>)
      expect(way).type.toBeCallableWith({} as Runtime.Runtime<W>)
      expect(way).type.toBeCallableWith({} as Runtime.Runtime<W | Database | Mailer>)
    }
  })

  test("none takes a runtime without Webhooks", () => {
    expect(Webhooks.toWebHandler).type.not.toBeCallableWith({} as ManagedRuntime.ManagedRuntime<Database, never>)
    expect(Webhooks.toWebHandler).type.not.toBeCallableWith({} as Runtime.Runtime<never>)
    expect(Webhooks.toLambdaHandler).type.not.toBeCallableWith({} as Runtime.Runtime<Database>)
    expect(Webhooks.toPromise).type.not.toBeCallableWith({} as Runtime.Runtime<Database>)
  })
})
