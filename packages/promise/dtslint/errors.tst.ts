/**
 * The errors of this package are the core's, by the same names and with the same fields. Two things differ: a `Duration`
 * becomes a number of milliseconds, in a field whose name ends in `Ms`; and an error within an error is the one of this
 * package. A field that only one of the two has fails here.
 */
import type * as Facade from "@hookrail/promise"
import { HookrailError, isHookrailError, isRetryable, WebhookVerificationError } from "@hookrail/promise"
import type * as Admin from "@hookrail/promise/admin"
import type { Duration } from "effect"
import type { YieldableError } from "effect/Cause"
import type { HookrailError as Core } from "hookrail"
import { describe, expect, test } from "tstyche"

/** What is `undefined` in the core is left out here. */
type Defined<A> = Exclude<A, undefined>

type NameOf<K, A> = Defined<A> extends Duration.Duration ? `${K & string}Ms` : K

type ValueOf<A> = A extends Duration.Duration ? number : A

/** The fields of the core's error, with the names and values that they have here. `cause` is looked at below. */
type Expected<E> = {
  readonly [
    K in keyof E as K extends keyof YieldableError | typeof Core.TypeId | "toJSON" ? never : NameOf<K, E[K]>
  ]: ValueOf<Defined<E[K]>>
}

type Actual<E> = {
  readonly [K in keyof E as K extends keyof Error | "toJSON" ? never : K]: Defined<E[K]>
}

type CoreErrors = { readonly [E in Core.HookrailError as E["_tag"]]: E }

/** The classes that a module exports, by what their errors say of themselves. */
type FacadeErrors = ErrorsOf<typeof Facade> & ErrorsOf<typeof Admin>

type ErrorsOf<Module> = {
  readonly [
    K in keyof Module as Module[K] extends abstract new(...args: never) => { readonly _tag: infer Tag }
      ? K extends Tag ? K : never
      : never
  ]: Module[K] extends abstract new(...args: never) => infer E ? E : never
}

describe("the errors of the client", () => {
  test("are those of the core, and two more; those of stores end in the log", () => {
    expect<keyof FacadeErrors>().type.toBe<
      | Exclude<Core.HookrailError["_tag"], "DeliveryLogError" | "WebhookSecretsError">
      | "HookrailAbortedError"
      | "HookrailClosedError"
    >()
  })

  test("have the same fields", () => {
    expect<Actual<Facade.HookrailConfigError>>().type.toBe<Expected<CoreErrors["HookrailConfigError"]>>()
    expect<Actual<Facade.InvalidPayloadError>>().type.toBe<Expected<CoreErrors["InvalidPayloadError"]>>()
    expect<Actual<Facade.HookrailConnectionError>>().type.toBe<Expected<CoreErrors["HookrailConnectionError"]>>()
    expect<Actual<Facade.HookrailTimeoutError>>().type.toBe<Expected<CoreErrors["HookrailTimeoutError"]>>()
    expect<Actual<Facade.UnexpectedResponseError>>().type.toBe<Expected<CoreErrors["UnexpectedResponseError"]>>()
    expect<Actual<Facade.BadRequestError>>().type.toBe<Expected<CoreErrors["BadRequestError"]>>()
    expect<Actual<Facade.AuthenticationError>>().type.toBe<Expected<CoreErrors["AuthenticationError"]>>()
    expect<Actual<Facade.ForbiddenError>>().type.toBe<Expected<CoreErrors["ForbiddenError"]>>()
    expect<Actual<Facade.NotFoundError>>().type.toBe<Expected<CoreErrors["NotFoundError"]>>()
    expect<Actual<Facade.ConflictError>>().type.toBe<Expected<CoreErrors["ConflictError"]>>()
    expect<Actual<Facade.PayloadTooLargeError>>().type.toBe<Expected<CoreErrors["PayloadTooLargeError"]>>()
    expect<Actual<Facade.RateLimitError>>().type.toBe<Expected<CoreErrors["RateLimitError"]>>()
    expect<Actual<Facade.ServerError>>().type.toBe<Expected<CoreErrors["ServerError"]>>()
    expect<Actual<Facade.RetryError>>().type.toBe<Expected<CoreErrors["RetryError"]>>()
    expect<Actual<Facade.OrderingKeyHeldError>>().type.toBe<Expected<CoreErrors["OrderingKeyHeldError"]>>()
    expect<Actual<Admin.InsufficientRoleError>>().type.toBe<Expected<CoreErrors["InsufficientRoleError"]>>()
    expect<Actual<Admin.UrlRejectedError>>().type.toBe<Expected<CoreErrors["UrlRejectedError"]>>()
    expect<Actual<Admin.UnprocessableError>>().type.toBe<Expected<CoreErrors["UnprocessableError"]>>()
    expect<Actual<Admin.ReplayExpiredError>>().type.toBe<Expected<CoreErrors["ReplayExpiredError"]>>()
    expect<Actual<Admin.SecretLostError>>().type.toBe<Expected<CoreErrors["SecretLostError"]>>()
    expect<Actual<Admin.ReceiverCheckError>>().type.toBe<Expected<CoreErrors["ReceiverCheckError"]>>()
    expect<Actual<Facade.UnmatchedEventError>>().type.toBe<Expected<CoreErrors["UnmatchedEventError"]>>()
    expect<Actual<Facade.AwaitTimeoutError>>().type.toBe<Expected<CoreErrors["AwaitTimeoutError"]>>()
    expect<Actual<Facade.MalformedSignatureError>>().type.toBe<Expected<CoreErrors["MalformedSignatureError"]>>()
  })

  test("InvalidArgumentError knows two arguments more", () => {
    expect<Omit<Actual<Facade.InvalidArgumentError>, "argument">>().type.toBe<
      Omit<Expected<Core.InvalidArgumentError>, "argument">
    >()
    expect<Facade.InvalidArgumentError["argument"]>().type.toBe<
      Core.InvalidArgumentError["argument"] | "events" | "pollInterval"
    >()
  })

  test("RetryError holds an error that is retried, here too", () => {
    expect<Facade.RetryError["cause"]>().type.toBe<Facade.RetryableError>()
    expect<Facade.RetryableError["_tag"]>().type.toBe<Core.RetryableError["_tag"]>()
    expect<Core.RetryError["cause"]>().type.toBe<Core.RetryableError>()
  })
})

describe("the errors of verification", () => {
  test("have the same fields, but do not look for the mistake", () => {
    expect<Actual<Facade.SignatureError>>().type.toBe<Omit<Expected<Core.SignatureError>, "mistake">>()
    expect<Actual<Facade.SignatureTimestampError>>().type.toBe<
      Omit<Expected<Core.SignatureTimestampError>, "genuine">
    >()
    expect<Facade.WebhookVerificationError["_tag"]>().type.toBe<
      // The secrets are there: nothing has to be read.
      Exclude<Core.WebhookVerificationError["_tag"], "WebhookSecretsError">
    >()
  })
})

/** Code that does not compile unless each error has the fields that its tag promises. */
describe("HookrailError", () => {
  test("is the union of the exported classes", () => {
    expect<HookrailError["_tag"]>().type.toBe<
      Exclude<keyof FacadeErrors, Facade.WebhookVerificationError["_tag"]>
    >()
    expect<HookrailError>().type.toBe<
      { [K in HookrailError["_tag"]]: FacadeErrors[K] }[HookrailError["_tag"]]
    >()
  })

  test("is narrowed by its tag, after instanceof and after isHookrailError", () => {
    const told = (error: HookrailError): void => {
      switch (error._tag) {
        case "RateLimitError":
          return expect(error).type.toBe<Facade.RateLimitError>()
        case "InvalidPayloadError":
          return expect(error.path).type.toBe<string>()
        case "RetryError":
          return expect(error.cause._tag).type.toBe<Facade.RetryableError["_tag"]>()
        default:
          return expect(error._tag).type.toBe<
            Exclude<HookrailError["_tag"], "RateLimitError" | "InvalidPayloadError" | "RetryError">
          >()
      }
    }
    const thrown: unknown = undefined
    if (thrown instanceof HookrailError) told(thrown)
    if (isHookrailError(thrown)) told(thrown)
    if (isRetryable(thrown)) told(thrown)
  })

  test("need not be narrowed for what all errors have", () => {
    const error = {} as HookrailError
    expect(error.message).type.toBe<string>()
    expect(error.toJSON()).type.toBe<unknown>()
    expect(error).type.toBeAssignableTo<Error>()
  })

  test("cannot be made", () => {
    expect(HookrailError).type.not.toBeConstructableWith()
  })
})

describe("WebhookVerificationError", () => {
  test("is narrowed by its tag, after instanceof", () => {
    const thrown: unknown = undefined
    if (!(thrown instanceof WebhookVerificationError)) return
    if (thrown._tag === "SignatureTimestampError") expect(thrown.ageSeconds).type.toBe<number>()
    else expect(thrown.reason).type.toBe<string>()
  })
})
