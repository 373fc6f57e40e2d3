import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import {
  checkEventId,
  checkIdempotencyKey,
  checkOrderingKey,
  checkPayloadOrderingKey,
  checkTopic,
  orderingKeyIn,
  orderingKeyOf
} from "../src/wire/arguments.js"

const notTexts = [undefined, null, 1, true, {}, ["x"]]

const throwing = {
  get ordering_key(): string {
    throw new Error("hidden")
  }
}

const takes = (check: (value: unknown) => string | undefined, values: ReadonlyArray<unknown>) => {
  for (const value of values) strictEqual(check(value), undefined, JSON.stringify(value))
}

const refuses = (check: (value: unknown) => string | undefined, reason: RegExp, values: ReadonlyArray<unknown>) => {
  for (const value of values) assert.match(check(value) ?? "taken", reason, JSON.stringify(value))
}

describe("all of them", () => {
  for (const check of [checkTopic, checkIdempotencyKey, checkEventId, (key: unknown) => checkOrderingKey(key, {})]) {
    it("take only a text that is not empty", () => {
      refuses(check, /must be a text/, notTexts)
      refuses(check, /^it is empty$/, [""])
    })
  }
})

describe("checkTopic", () => {
  it("takes what can be delivered", () => {
    takes(checkTopic, ["x", "orders.created", "a b", "a\tb", " ", "~", "\u0080", "é語😀", "x".repeat(2_048)])
  })

  it("refuses what cannot", () => {
    refuses(checkTopic, /control character/, ["\u0000", "a\u0008", "\u000ab", "a\u001f", "a\u007fb"])
    refuses(checkTopic, /surrogate/, ["\ud800", "a\udc00"])
    refuses(checkTopic, /longer than 2048 characters/, ["x".repeat(2_049)])
  })
})

describe("checkIdempotencyKey", () => {
  it("takes visible ASCII", () => {
    takes(checkIdempotencyKey, ["!", "~", "a-b_c:1", "x".repeat(2_048)])
  })

  it("refuses anything else", () => {
    refuses(checkIdempotencyKey, /visible ASCII/, [
      " ",
      "a b",
      " a",
      "a ",
      "a\u007f",
      "\u007fa",
      "é",
      "aé",
      "éa",
      "a\n"
    ])
    refuses(checkIdempotencyKey, /longer than 2048 characters/, ["x".repeat(2_049)])
  })
})

describe("checkOrderingKey", () => {
  it("takes visible ASCII that no other key in the payload contradicts", () => {
    for (
      const payload of [{}, { ordering_key: "k" }, { ordering_key: "" }, { ordering_key: 1 }, null, undefined, "k", [
        "k"
      ], throwing]
    ) {
      strictEqual(checkOrderingKey("k", payload), undefined)
    }
    strictEqual(checkOrderingKey("x".repeat(256), {}), undefined)
  })

  it("refuses anything else", () => {
    refuses((key) => checkOrderingKey(key, {}), /visible ASCII/, [" ", "a b", "é", "a\n", "\u007f"])
    assert.match(checkOrderingKey("x".repeat(257), {}) ?? "", /longer than 256 bytes/)
    assert.match(checkOrderingKey("k", { ordering_key: "K" }) ?? "", /another one/)
  })
})

describe("orderingKeyIn", () => {
  it("finds a text at the top of an object, and no other", () => {
    class Order {
      readonly ordering_key = "k"
    }
    for (const payload of [{ ordering_key: "k" }, new Order()]) strictEqual(orderingKeyIn(payload), "k")
    for (
      const payload of [
        null,
        undefined,
        "ordering_key",
        1,
        Object.assign(() => {}, { ordering_key: "k" }),
        Object.assign([1], { ordering_key: "k" }),
        [{ ordering_key: "k" }],
        { a: { ordering_key: "k" } },
        { ordering_key: "" },
        { ordering_key: 1 },
        { ordering_key: null },
        throwing
      ]
    ) {
      strictEqual(orderingKeyIn(payload), undefined)
    }
  })
})

describe("orderingKeyOf", () => {
  it("takes the event's own key before the payload's", () => {
    const payload = { ordering_key: "in" }
    deepStrictEqual(
      [
        orderingKeyOf({ orderingKey: "own", payload }),
        orderingKeyOf({ orderingKey: undefined, payload }),
        orderingKeyOf({ payload }),
        orderingKeyOf({ payload: {} })
      ],
      ["own", "in", "in", undefined]
    )
  })

  it("never throws", () => {
    strictEqual(orderingKeyOf(undefined), undefined)
    strictEqual(orderingKeyOf(null as never), undefined)
    const event = {
      get payload(): unknown {
        throw new Error("hidden")
      }
    }
    strictEqual(orderingKeyOf(event), undefined)
  })
})

describe("checkPayloadOrderingKey", () => {
  const check = (key: unknown) => checkPayloadOrderingKey({ ordering_key: key })

  it("takes 256 bytes of UTF-8", () => {
    takes(check, ["k", "x".repeat(256), "é".repeat(128), "語".repeat(85), 1, "", undefined])
    takes(checkPayloadOrderingKey, [null, [], "x".repeat(300)])
  })

  it("refuses more, and says how many there are", () => {
    refuses(check, /has 257 bytes, at most 256/, ["x".repeat(257), `${"é".repeat(128)}x`])
    refuses(check, /has 258 bytes/, ["語".repeat(86)])
  })
})

describe("checkEventId", () => {
  it("refuses what leads to another route, or nowhere", () => {
    takes(checkEventId, ["01J", "...", "a.", ".a", "a/b"])
    refuses(checkEventId, /not an event id/, [".", ".."])
    refuses(checkEventId, /U\+0000/, ["a\u0000"])
    refuses(checkEventId, /surrogate/, ["\ud800"])
  })
})
