import { Schedule } from "effect"
import { expect, test } from "tstyche"
import { HookrailClient, type HookrailError, RetryPolicy } from "../src/index.js"

const overRetryable = Schedule.recurWhile<HookrailError.RetryableError>(({ _tag }) => _tag === "ServerError")
const overAny = Schedule.recurWhile<HookrailError.HookrailError>(({ _tag }) => _tag === "ServerError")

test("a retry option takes a schedule over what it can see, or over more", () => {
  expect(HookrailClient.layer).type.toBeCallableWith({ retry: overRetryable })
  expect(HookrailClient.layer).type.toBeCallableWith({ retry: overAny })
  expect(HookrailClient.layer).type.toBeCallableWith({ retry: Schedule.spaced("1 second") })
  expect(HookrailClient.layer).type.not.toBeCallableWith({ retry: Schedule.recurWhile((n: number) => n > 1) })
})

test("respectRetryAfter keeps what its schedule is over", () => {
  expect(RetryPolicy.respectRetryAfter(overRetryable)).type.toBe<
    Schedule.Schedule<HookrailError.RetryableError, HookrailError.RetryableError>
  >()
  expect(HookrailClient.layer).type.toBeCallableWith({ retry: RetryPolicy.respectRetryAfter(overRetryable) })
  expect(HookrailClient.layer).type.toBeCallableWith({
    retry: RetryPolicy.respectRetryAfter(Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(5)))
  })
})
