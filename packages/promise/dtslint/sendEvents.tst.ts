/** What `sendEvents` returns: a promise that has to be awaited, or an iterable. */
import type { EventAccepted, Events, Hookrail, SendResult, SendSummary } from "@hookrail/promise"
import { describe, expect, test } from "tstyche"

declare const hookrail: Hookrail
declare const events: Events

describe("the result of sendEvents", () => {
  test("is iterated for results", () => {
    void (async () => {
      for await (const result of hookrail.sendEvents(events)) expect(result).type.toBe<EventAccepted>()
      for await (const result of hookrail.sendEvents(events, { onError: "collect" })) {
        expect(result).type.toBe<SendResult>()
      }
    })
  })

  test("is awaited for a summary, in every way", () => {
    void (async () => {
      expect(await hookrail.sendEvents(events)).type.toBe<SendSummary>()
      expect(await hookrail.sendEvents(events, { onError: "collect" })).type.toBe<SendSummary>()
      expect(await Promise.all([hookrail.sendEvents(events), hookrail.sendEvents(events)])).type.toBe<
        [SendSummary, SendSummary]
      >()
      expect(hookrail.sendEvents(events).then(({ accepted }) => accepted)).type.toBe<Promise<number>>()
    })
  })

  test("is a summary for the caller of an async function that returns it", () => {
    const sendAll = async () => hookrail.sendEvents(events)
    expect(sendAll()).type.toBe<Promise<SendSummary>>()
    expect(sendAll()).type.not.toBeAssignableTo<AsyncIterable<EventAccepted>>()
  })

  test("is a promise for linters that find forgotten ones", () => {
    expect(hookrail.sendEvents(events)).type.toBeAssignableTo<Promise<SendSummary>>()
  })

  test("a summary is not iterated", () => {
    expect<SendSummary>().type.not.toBeAssignableTo<AsyncIterable<unknown>>()
  })

  test("a failure has an error that its tag narrows", () => {
    const [failed] = ({} as SendSummary).failures
    if (failed?.error._tag === "RetryError") expect(failed.error.attempts).type.toBe<number>()
    const result = {} as SendResult
    if (result._tag === "Failed" && result.error._tag === "InvalidPayloadError") {
      expect(result.error.path).type.toBe<string>()
    }
  })
})
