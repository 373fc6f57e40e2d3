import { describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import { Account, type Failure, type Result } from "../src/soak/account.js"

const payload = { seq: 1, note: "a" }
const event = { eventId: "e1", idempotencyKey: "k1", payload: JSON.stringify(payload) }
const accepted: Result = { _tag: "Succeeded", eventId: "e1", idempotencyKey: "k1" }
const failed = (error: Failure): Result => ({ _tag: "Failed", error })
const unknown = failed({ _tag: "RetryError", outcome: "unknown", idempotencyKey: "k1", cause: { _tag: "ServerError" } })
const refused = failed({ _tag: "RetryError", outcome: "refused", idempotencyKey: "k1" })

/** An account with one open send. */
const opened = ({ key }: { readonly key: string | undefined } = { key: "k1" }): Account => {
  const account = new Account()
  account.begin(1, { payload, key, maxAttempts: 2 })
  return account
}

const violations = (account: Account): ReadonlyArray<string> => account.close().violations

describe("a send that succeeded", () => {
  it("is in order with its one event", () => {
    const account = opened()
    account.attempted(1, "k1")
    account.attempted(1, "k1")
    account.stored(1, event)
    strictEqual(account.ended(1, accepted), undefined)
    const { results, ...rest } = account.close()
    deepStrictEqual([...results], [["succeeded", 1]])
    deepStrictEqual(rest, { sends: 1, attempts: 2, retries: 1, sentAgain: 0, stored: 1, violations: [] })
  })

  it("is lost without one", () => {
    const account = opened()
    account.ended(1, accepted)
    deepStrictEqual(violations(account), ["send 1: lost: e1 was promised, nothing is stored"])
  })

  it("has to name the event that is stored", () => {
    const account = opened()
    account.stored(1, { ...event, eventId: "e2" })
    account.ended(1, accepted)
    deepStrictEqual(violations(account), ["send 1: e1 was promised, e2 stored"])
  })

  it("may not be stored twice, neither before its end nor after", () => {
    const account = opened()
    account.stored(1, event)
    account.stored(1, { ...event, eventId: "e2" })
    account.ended(1, accepted)
    account.stored(1, { ...event, eventId: "e3" })
    deepStrictEqual(violations(account), [
      "send 1: stored twice, as e1 and e2",
      "send 1: event e3 was stored after the send was settled"
    ])
  })

  it("has to be stored as it was sent", () => {
    const account = opened()
    account.stored(1, { ...event, payload: "{\"seq\":1,\"note\":\"b\"}" })
    account.ended(1, accepted)
    deepStrictEqual(violations(account), ["send 1: stored with another payload"])
  })

  it("has to report the key that was seen", () => {
    const account = opened({ key: undefined })
    account.attempted(1, "k2")
    account.stored(1, { ...event, idempotencyKey: "k2" })
    account.ended(1, accepted)
    deepStrictEqual(violations(account), ["send 1: reports key k1 instead of k2"])
  })
})

describe("a send that failed", () => {
  it("is sent again where the outcome is unknown, under the key of the error", () => {
    for (const storedBefore of [true, false]) {
      const account = opened({ key: undefined })
      if (storedBefore) {
        account.attempted(1, "k1")
        account.stored(1, event)
      }
      strictEqual(account.ended(1, unknown), "k1")
      if (!storedBefore) account.stored(1, event)
      account.sentAgain(1, accepted)
      const { results, sentAgain, violations } = account.close()
      deepStrictEqual([...results], [["RetryError of ServerError, unknown", 1]])
      strictEqual(sentAgain, 1)
      deepStrictEqual(violations, [])
    }
  })

  it("may not fail when it is sent again", () => {
    const account = opened()
    account.ended(1, unknown)
    account.sentAgain(1, refused)
    deepStrictEqual(violations(account), ["send 1: sending again: RetryError of undefined, refused"])
  })

  it("must carry its key", () => {
    const account = opened()
    strictEqual(account.ended(1, failed({ _tag: "RetryError", outcome: "unknown" })), undefined)
    deepStrictEqual(violations(account), ["send 1: reports key undefined instead of k1"])
  })

  it("may not be stored where it was refused or not sent", () => {
    for (const outcome of ["refused", "not-sent"]) {
      const before = opened()
      before.stored(1, event)
      before.ended(1, failed({ _tag: "ConflictError", outcome, idempotencyKey: "k1" }))
      deepStrictEqual(violations(before), [`send 1: reported as ${outcome}, but stored as e1`])

      const after = opened()
      after.ended(1, failed({ _tag: "ConflictError", outcome, idempotencyKey: "k1" }))
      after.stored(1, event)
      deepStrictEqual(violations(after), ["send 1: event e1 was stored after the send was settled"])
    }
  })

  it("may only fail as declared", () => {
    const account = opened()
    account.ended(1, failed({ _tag: "TypeError", outcome: "refused", idempotencyKey: "k1" }))
    account.begin(2, { payload, key: "k2", maxAttempts: 1 })
    account.ended(2, failed({ _tag: "RetryError", outcome: "maybe", idempotencyKey: "k2" }))
    deepStrictEqual(violations(account), [
      "send 1: an error that is not declared: TypeError, refused",
      "send 2: an outcome that is not expected: RetryError of undefined, maybe"
    ])
  })
})

describe("a send that was interrupted", () => {
  const interrupted = (outcome: string): Result => ({ _tag: "Interrupted", told: { outcome, idempotencyKey: "k1" } })

  it("is sent again where the outcome is unknown, under the key that was told", () => {
    const account = opened({ key: undefined })
    strictEqual(account.ended(1, interrupted("unknown")), "k1")
    account.stored(1, event)
    account.sentAgain(1, accepted)
    const { results, violations } = account.close()
    deepStrictEqual([...results], [["interrupted, unknown", 1]])
    deepStrictEqual(violations, [])
  })

  it("has to tell its key", () => {
    const account = opened({ key: undefined })
    strictEqual(account.ended(1, { _tag: "Interrupted", told: { outcome: "unknown" } }), undefined)
    deepStrictEqual(violations(account), ["send 1: reports key undefined instead of undefined"])
  })

  it("may have made no request where it was not sent, neither before its end nor after", () => {
    for (const result of [interrupted("not-sent"), { _tag: "Interrupted", told: undefined } as const]) {
      const account = opened()
      account.attempted(1, "k1")
      strictEqual(account.ended(1, result), undefined)
      account.attempted(1, "k1")
      account.stored(1, event)
      deepStrictEqual(violations(account), [
        "send 1: reported as not-sent after 1 requests",
        "send 1: a request came after the send was reported as not sent",
        "send 1: event e1 was stored after the send was settled"
      ])
    }
  })

  it("tells nothing where it had not begun", () => {
    const account = opened({ key: undefined })
    strictEqual(account.ended(1, { _tag: "Interrupted", told: undefined }), undefined)
    deepStrictEqual(violations(account), [])
  })
})

describe("a send of a client that was closed", () => {
  const closed = (outcome: string): Result => failed({ _tag: "HookrailClosedError", outcome, idempotencyKey: "k1" })

  it("is sent again under its key, whatever its outcome", () => {
    for (const outcome of ["not-sent", "refused", "unknown"]) {
      const account = opened({ key: undefined })
      strictEqual(account.ended(1, closed(outcome)), "k1")
      account.stored(1, event)
      account.sentAgain(1, accepted)
      deepStrictEqual(violations(account), [])
    }
  })

  it("may have made no request where it was not sent", () => {
    const account = opened()
    account.attempted(1, "k1")
    account.stored(1, event)
    account.ended(1, closed("not-sent"))
    account.sentAgain(1, accepted)
    deepStrictEqual(violations(account), [
      "send 1: reported as not-sent, but stored as e1",
      "send 1: reported as not-sent after 1 requests"
    ])
  })

  it("is sent again under the same key", () => {
    const account = opened()
    account.ended(1, closed("unknown"))
    account.stored(1, event)
    account.sentAgain(1, { ...accepted, idempotencyKey: "k2" })
    deepStrictEqual(violations(account), ["send 1: reports key k2 instead of k1"])
  })
})

describe("a send that was held back for its ordering key", () => {
  it("is sent again if it has a key, and has none of its own otherwise", () => {
    for (const key of ["k1", undefined]) {
      const account = opened({ key })
      const held = failed({ _tag: "OrderingKeyHeldError", outcome: "not-sent", idempotencyKey: key })
      strictEqual(account.ended(1, held), key)
      if (key !== undefined) {
        account.stored(1, event)
        account.sentAgain(1, accepted)
      }
      deepStrictEqual(violations(account), [])
    }
  })
})

describe("any send", () => {
  it("has one key in all attempts, and not more attempts than allowed", () => {
    const account = opened()
    for (const key of ["k1", "k2", "k1"]) account.attempted(1, key)
    account.stored(1, event)
    account.ended(1, accepted)
    deepStrictEqual(violations(account), [
      "send 1: an attempt has key k2 instead of k1",
      "send 1: more than 2 attempts"
    ])
  })

  it("hangs where it has no end", () => {
    deepStrictEqual(violations(opened()), ["send 1: hangs"])
  })
})
