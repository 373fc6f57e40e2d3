import type { Effect, Redacted, Stream } from "effect"
import { describe, expect, test } from "tstyche"
import { HookrailAdmin, type HookrailError, type Transport } from "../src/index.js"

type Admin = HookrailAdmin.HookrailAdmin

describe("HookrailAdmin", () => {
  test("reads and writes have a closed union of errors", () => {
    expect(HookrailAdmin.endpoints.get("e")).type.toBe<
      Effect.Effect<HookrailAdmin.Endpoint, HookrailError.AdminReadError, Admin>
    >()
    expect(HookrailAdmin.endpoints.delete("e")).type.toBe<Effect.Effect<void, HookrailError.AdminError, Admin>>()
    expect(HookrailAdmin.deliveries.list()).type.toBe<
      Stream.Stream<HookrailAdmin.DeliverySummary, HookrailError.AdminReadError, Admin>
    >()
    expect(HookrailAdmin.whoami()).type.toBe<
      Effect.Effect<HookrailAdmin.Identity, HookrailError.AdminReadError, Admin>
    >()
    expect<HookrailError.AdminReadError["_tag"]>().type.toBe<
      | "InvalidArgumentError"
      | "BadRequestError"
      | "AuthenticationError"
      | "ForbiddenError"
      | "NotFoundError"
      | "ConflictError"
      | "PayloadTooLargeError"
      | "UnexpectedResponseError"
      | "RetryError"
      | "InsufficientRoleError"
    >()
    expect<Exclude<HookrailError.AdminError["_tag"], HookrailError.AdminReadError["_tag"]>>().type.toBe<
      "UrlRejectedError" | "UnprocessableError" | "ReplayExpiredError" | "SecretLostError"
    >()
    expect<HookrailError.AdminError["operation"]>().type.toBe<HookrailError.AdminOperation>()
  })

  test("the role of an error narrows", () => {
    const error = {} as HookrailError.AdminError
    if (error._tag === "InsufficientRoleError") {
      expect(error.required).type.toBe<"viewer" | "operator" | "admin">()
      expect(error.actual).type.toBeAssignableTo<string | undefined>()
    }
  })

  test("filters are typed", () => {
    expect<NonNullable<Parameters<typeof HookrailAdmin.deliveries.list>[0]>>().type.toBeAssignableFrom<
      { state: "dead_lettered"; endpointId: string }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.deliveries.list>[0]>>().type.not.toBeAssignableFrom<
      { state: "bogus" }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.deliveries.list>[0]>>().type.not.toBeAssignableFrom<
      { endpoint: "e" }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.deadLetters.list>[0]>>().type.toBeAssignableFrom<
      { since: Date; replayed: false }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.deadLetters.list>[0]>>().type.not.toBeAssignableFrom<
      { since: "2026-01-01" }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.orderedKeys.list>[0]>>().type.not.toBeAssignableFrom<
      { blocked: false }
    >()
    // A list has a page size, a page has a cursor and a limit.
    expect<NonNullable<Parameters<typeof HookrailAdmin.endpoints.list>[0]>>().type.not.toBeAssignableFrom<
      { cursor: string }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.endpoints.page>[0]>>().type.toBeAssignableFrom<
      { cursor: string; limit: number; includeDeleted: true }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.endpoints.page>[0]>>().type.not.toBeAssignableFrom<
      { pageSize: number }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.replayAll>[0]>>().type.not.toBeAssignableFrom<
      { replayed: true }
    >()
  })

  test("roles are three", () => {
    expect<NonNullable<Parameters<typeof HookrailAdmin.tokens.create>[0]>>().type.toBeAssignableFrom<
      { role: "operator"; label: string }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.tokens.create>[0]>>().type.not.toBeAssignableFrom<
      { role: "root"; label: string }
    >()
  })

  test("what cannot be changed is no change", () => {
    expect<NonNullable<Parameters<typeof HookrailAdmin.subscriptions.update>[1]>>().type.toBeAssignableFrom<
      { active: false; maxAttempts: number }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.subscriptions.update>[1]>>().type.not.toBeAssignableFrom<
      { ordered: true }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.subscriptions.update>[1]>>().type.not.toBeAssignableFrom<
      { rateLimitRps: null }
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.subscriptions.create>[0]>>().type.not.toBeAssignableFrom<
      { topic: string }
    >()
  })

  test("secrets are redacted", () => {
    expect(HookrailAdmin.endpoints.create({ url: "https://a.example.com" })).type.toBe<
      Effect.Effect<HookrailAdmin.CreatedEndpoint<Redacted.Redacted<string>>, HookrailError.AdminError, Admin>
    >()
    expect(HookrailAdmin.tokens.create({ role: "viewer", label: "l" })).type.toBe<
      Effect.Effect<HookrailAdmin.CreatedToken<Redacted.Redacted<string>>, HookrailError.AdminError, Admin>
    >()
    expect<NonNullable<Parameters<typeof HookrailAdmin.layer>[0]>>().type.not.toBeAssignableFrom<
      { adminToken: "hkadm_1" }
    >()
  })

  test("a rotation has the errors and requirements of its deploy", () => {
    const rotated = HookrailAdmin.rotateWithReceiver("e", {
      current: {} as Redacted.Redacted<string>,
      deploy: () => ({}) as Effect.Effect<void, "mine", Transport.Transport>
    })
    expect(rotated).type.toBe<
      Effect.Effect<
        Redacted.Redacted<string>,
        HookrailError.AdminError | HookrailError.ReceiverCheckError | "mine",
        Transport.Transport | Admin
      >
    >()
  })
})
