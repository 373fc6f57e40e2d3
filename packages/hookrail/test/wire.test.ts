import { afterEach, describe, it, vi } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import * as fc from "effect/FastCheck"
import { concat, fromBase64, toHex, uuid } from "../src/wire/bytes.js"
import { acceptedBody, problemBody, statusBody } from "../src/wire/decode.js"
import { isTerminal } from "../src/wire/deliveryState.js"
import { excerpt, redact } from "../src/wire/redact.js"
import { parseHttpDate, parseRetryAfter } from "../src/wire/retryAfter.js"

describe("bytes", () => {
  it("concat joins pieces, and copies only where there are several", () => {
    const piece = new Uint8Array([1, 2])
    strictEqual(concat([piece], 2), piece)
    deepStrictEqual([...concat([piece, new Uint8Array([3]), piece], 5)], [1, 2, 3, 1, 2])
    deepStrictEqual([...concat([], 0)], [])
  })

  it("toHex and fromBase64 agree with Buffer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const buffer = Buffer.from(bytes)
        strictEqual(toHex(bytes), buffer.toString("hex"))
        deepStrictEqual([...fromBase64(buffer.toString("base64"))!], [...bytes])
      }),
      { seed: 7 }
    )
    for (const text of ["?", "a", "ab=c"]) strictEqual(fromBase64(text), undefined)
  })

  describe("uuid", () => {
    afterEach(() => {
      vi.unstubAllGlobals()
    })

    const filledWith = (byte: number) => ({ getRandomValues: (bytes: Uint8Array) => bytes.fill(byte) })

    it("is the platform's own", () => {
      vi.stubGlobal("crypto", { ...filledWith(0), randomUUID: () => "own" })
      strictEqual(uuid(), "own")
    })

    it("is of version 4 without it, too", () => {
      vi.stubGlobal("crypto", filledWith(0))
      strictEqual(uuid(), "00000000-0000-4000-8000-000000000000")
      vi.stubGlobal("crypto", filledWith(0xff))
      strictEqual(uuid(), "ffffffff-ffff-4fff-bfff-ffffffffffff")
      vi.stubGlobal("crypto", {
        getRandomValues: (bytes: Uint8Array) => {
          strictEqual(bytes.length, 16)
          return bytes.map((_, index) => index)
        }
      })
      strictEqual(uuid(), "00010203-0405-4607-8809-0a0b0c0d0e0f")
    })
  })
})

describe("what an answer says", () => {
  const attempt = {
    attempt_no: 1,
    claim_version: 2,
    status: "retryable_failure",
    http_status: 500,
    error_class: "http_500",
    latency_ms: 3
  }
  const delivery = { delivery_id: "d", state: "pending", attempts_truncated: true, attempts: [attempt] }
  const event = { event_id: "e", topic: "t", deliveries: [delivery] }

  const status = (body: unknown) => statusBody(JSON.stringify(body))

  it("a status, whole", () => {
    deepStrictEqual(status(event), {
      eventId: "e",
      topic: "t",
      deliveries: [{
        deliveryId: "d",
        state: "pending",
        attemptsTruncated: true,
        attempts: [{
          attemptNo: 1,
          claimVersion: 2,
          status: "retryable_failure",
          httpStatus: 500,
          errorClass: "http_500",
          latencyMs: 3
        }]
      }]
    })
  })

  it("what may be absent is not there", () => {
    const { error_class: _, http_status: __, ...rest } = attempt
    const { attempts_truncated: ___, ...short } = { ...delivery, attempts: [rest] }
    deepStrictEqual(status({ ...event, deliveries: [short] })?.deliveries, [{
      deliveryId: "d",
      state: "pending",
      attemptsTruncated: false,
      attempts: [{ attemptNo: 1, claimVersion: 2, status: "retryable_failure", latencyMs: 3 }]
    }])
    deepStrictEqual(status({ ...event, deliveries: null })?.deliveries, [])
    deepStrictEqual(status({ ...event, deliveries: [] })?.deliveries, [])
    deepStrictEqual(status({ ...event, topic: "" })?.topic, "")
  })

  it("no other type will do, for any member", () => {
    const withAttempt = (change: object) => ({
      ...event,
      deliveries: [{ ...delivery, attempts: [attempt, { ...attempt, ...change }] }]
    })
    for (const name of Object.keys(attempt)) {
      strictEqual(status(withAttempt({ [name]: null })), undefined, name)
      strictEqual(status(withAttempt({ [name]: [] })), undefined, name)
    }
    for (const name of Object.keys(delivery)) {
      for (const value of [null, 1, {}, ""]) {
        // Of these, an empty text is a text.
        if (value === "" && (name === "delivery_id" || name === "state")) continue
        const deliveries = [delivery, { ...delivery, [name]: value }]
        strictEqual(status({ ...event, deliveries }), undefined, `${name} ${JSON.stringify(value)}`)
      }
    }
    for (const change of [{ event_id: "" }, { event_id: 1 }, { topic: 1 }, { topic: null }, { deliveries: {} }]) {
      strictEqual(status({ ...event, ...change }), undefined, JSON.stringify(change))
    }
    for (const deliveries of [[null], [1], [[]], ["d"]]) strictEqual(status({ ...event, deliveries }), undefined)
    for (const body of [null, [event], "x", 1]) strictEqual(status(body), undefined)
    strictEqual(statusBody("{"), undefined)
  })

  it("an acceptance", () => {
    const accepted = (body: unknown) => acceptedBody(JSON.stringify(body))
    deepStrictEqual(accepted({ event_id: "e", delivery_ids: ["a", "b"] }), { eventId: "e", deliveryIds: ["a", "b"] })
    deepStrictEqual(accepted({ event_id: "e", delivery_ids: null }), { eventId: "e", deliveryIds: [] })
    for (
      const change of [{ event_id: "" }, { event_id: 1 }, { delivery_ids: undefined }, { delivery_ids: "a" }, {
        delivery_ids: ["a", 1]
      }]
    ) {
      strictEqual(accepted({ event_id: "e", delivery_ids: ["a"], ...change }), undefined, JSON.stringify(change))
    }
    for (const body of [null, [], "x"]) strictEqual(accepted(body), undefined)
    strictEqual(acceptedBody("accepted"), undefined)
  })

  it("a problem, as far as it is one", () => {
    const problem = (body: unknown) => problemBody(JSON.stringify(body), (text) => `<${text}>`)
    const whole = { type: "about:blank", title: "T", status: 400, detail: "D" }
    deepStrictEqual(problem(whole), { type: "<about:blank>", title: "<T>", status: 400, detail: "<D>" })
    deepStrictEqual(problem({ title: "T" }), { title: "<T>" })
    deepStrictEqual(problem({ detail: "D" }), { detail: "<D>" })
    deepStrictEqual(problem({ ...whole, type: 1, status: "400" }), { title: "<T>", detail: "<D>" })
    deepStrictEqual(problem({ ...whole, title: null }), { type: "<about:blank>", status: 400, detail: "<D>" })
    deepStrictEqual(problem({ ...whole, detail: {} }), { type: "<about:blank>", title: "<T>", status: 400 })
    // Neither says anything to a person.
    strictEqual(problem({ type: "about:blank", status: 400 }), undefined)
    for (const body of [null, [whole], "x", 1]) strictEqual(problem(body), undefined)
    strictEqual(problemBody("<html>", (text) => text), undefined)
  })

  it("which states are the last ones", () => {
    for (const state of ["succeeded", "dead_lettered", "cancelled", "skipped"]) strictEqual(isTerminal(state), true)
    for (const state of ["pending", "in_flight", "retry_scheduled", "new_one", ""]) {
      strictEqual(isTerminal(state), false)
    }
  })
})

describe("redact", () => {
  it("takes out what looks like a secret, and what is known to be one", () => {
    strictEqual(
      redact("a hk_aB-1_z, hkadm_x; whsec_y. other_z hk_ whsec"),
      "a hk_***, hkadm_***; whsec_***. other_z hk_ whsec"
    )
    strictEqual(redact("key=K1 and K1 again", "K1"), "key=*** and *** again")
    strictEqual(redact("hk_x and K1", "K1"), "hk_*** and ***")
    strictEqual(redact("nothing", ""), "nothing")
    strictEqual(redact("nothing", undefined), "nothing")
  })
})

describe("excerpt", () => {
  it("is at most 200 characters on one line", () => {
    strictEqual(excerpt("  a \r\n\t b\u0000\u001f\u007fc  ", "K1"), "a b c")
    strictEqual(excerpt("x".repeat(200), "K1"), "x".repeat(200))
    strictEqual(excerpt("x".repeat(201), "K1"), `${"x".repeat(200)}...`)
  })

  it("has no half of a secret", () => {
    strictEqual(excerpt(`${"x".repeat(190)} ${"K".repeat(50)}`, "K".repeat(50)), `${"x".repeat(190)} ***`)
    strictEqual(excerpt(`${"x".repeat(190)} hk_${"K".repeat(50)}`, "other"), `${"x".repeat(190)} hk_***`)
  })
})

describe("Retry-After", () => {
  const now = Date.UTC(2026, 5, 15)

  it("of seconds", () => {
    strictEqual(parseRetryAfter("0", now), 0)
    strictEqual(parseRetryAfter("7", now), 7_000)
    strictEqual(parseRetryAfter("\t120 ", now), 120_000)
    strictEqual(parseRetryAfter("9".repeat(30), now), Number.MAX_SAFE_INTEGER)
    for (const text of ["", " ", "-1", "+1", "1.5", "1s", "s1", "1 2", "1e3", "0x1", "١"]) {
      strictEqual(parseRetryAfter(text, now), undefined, text)
    }
    strictEqual(parseRetryAfter(undefined, now), undefined)
  })

  it("of a date is the time until then, if that is still to come", () => {
    const at = "Mon, 15 Jun 2026 00:00:09 GMT"
    strictEqual(parseRetryAfter(at, now), 9_000)
    strictEqual(parseRetryAfter(` ${at} `, now), 9_000)
    strictEqual(parseRetryAfter(at, now + 9_000), 0)
    strictEqual(parseRetryAfter(at, now + 60_000), 0)
  })

  const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  const longDays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
  const two = (value: number, fill = "0") => String(value).padStart(2, fill)

  /** The three forms of RFC 9110, section 5.6.7. */
  const forms = (date: Date): ReadonlyArray<string> => {
    const [day, month, year] = [date.getUTCDate(), months[date.getUTCMonth()]!, date.getUTCFullYear()]
    const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
    const weekday = date.getUTCDay()
    return [
      `${days[weekday]}, ${two(day)} ${month} ${year} ${time} GMT`,
      `${longDays[weekday]}, ${two(day)}-${month}-${two(year % 100)} ${time} GMT`,
      `${days[weekday]} ${month} ${two(day, " ")} ${time} ${year}`
    ]
  }

  it("is read in all three forms of a date", () => {
    // Within the 50 years before and after that two digits can tell.
    const date = fc.date({ min: new Date("1977-01-01"), max: new Date("2076-12-31T23:59:59Z"), noInvalidDate: true })
    fc.assert(
      fc.property(date, (date) => {
        const seconds = Math.floor(date.getTime() / 1_000) * 1_000
        for (const form of forms(new Date(seconds))) {
          strictEqual(parseHttpDate(form, now), seconds, form)
          for (const wrong of [`x${form}`, `${form}x`, ` ${form}`, form.slice(1), form.slice(0, -1)]) {
            strictEqual(parseHttpDate(wrong, now), undefined, wrong)
          }
        }
      }),
      { seed: 8, numRuns: 500 }
    )
    for (let month = 0; month < 12; month++) {
      const [imf] = forms(new Date(Date.UTC(2026, month, 2)))
      strictEqual(parseHttpDate(imf!, now), Date.UTC(2026, month, 2))
    }
  })

  it("a year of two digits is at most 50 years ahead", () => {
    const year = (digits: string, at: number) =>
      new Date(parseHttpDate(`Monday, 01-Jun-${digits} 00:00:00 GMT`, at)!).getUTCFullYear()
    deepStrictEqual([year("76", now), year("77", now), year("26", now), year("00", now)], [2076, 1977, 2026, 2000])
    const later = Date.UTC(2099, 0, 1)
    deepStrictEqual([year("99", later), year("00", later), year("49", later)], [2099, 2000, 2049])
  })

  it("is no date that there is not", () => {
    const date = (text: string) => parseHttpDate(text, now)
    strictEqual(date("Sat, 29 Feb 2020 00:00:00 GMT"), Date.UTC(2020, 1, 29))
    strictEqual(date("Mon, 31 Dec 2018 23:59:60 GMT"), Date.UTC(2019, 0, 1))
    for (
      const text of [
        "Sat, 29 Feb 2021 00:00:00 GMT",
        "Sat, 00 Feb 2021 00:00:00 GMT",
        "Sat, 31 Apr 2021 00:00:00 GMT",
        "Sat, 61 Jan 2021 00:00:00 GMT",
        "Sat, 01 Foo 2021 00:00:00 GMT",
        "Sat, 01 jan 2021 00:00:00 GMT",
        "Sat, 01 JAN 2021 00:00:00 GMT",
        "Sat, 01 Jan 2021 24:00:00 GMT",
        "Sat, 01 Jan 2021 00:60:00 GMT",
        "Sat, 01 Jan 2021 00:00:61 GMT",
        "Sat, 1 Jan 2021 00:00:00 GMT",
        "Sat, 01 Jan 21 00:00:00 GMT",
        "Sat, 01 Jan 2021 00:00:00 CET",
        "Sat, 01 Jan 2021 00:00:00",
        "Saturday, 01-Jan-2021 00:00:00 GMT",
        "Sat Jan 1 00:00:00 2021",
        "Sat Jan -1 00:00:00 2021"
      ]
    ) {
      strictEqual(date(text), undefined, text)
    }
  })
})
