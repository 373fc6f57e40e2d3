import { assert, describe, it } from "@effect/vitest"
import { deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import {
  checkEventId,
  checkIdempotencyKey,
  checkOrderingKey,
  checkPayloadOrderingKey,
  checkTopic
} from "../src/wire/arguments.js"
import { orderedPayload } from "../src/wire/ordering.js"

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
  for (
    const check of [checkTopic, checkIdempotencyKey, checkEventId, (key: unknown) => checkOrderingKey(key, undefined)]
  ) {
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
    refuses(checkTopic, /longer than 2048 bytes/, ["x".repeat(2_049), "é".repeat(1_025)])
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
    for (const inPayload of ["k", undefined]) strictEqual(checkOrderingKey("k", inPayload), undefined)
    strictEqual(checkOrderingKey("x".repeat(256), undefined), undefined)
  })

  it("refuses anything else", () => {
    refuses((key) => checkOrderingKey(key, undefined), /visible ASCII/, [" ", "a b", "é", "a\n", "\u007f"])
    assert.match(checkOrderingKey("x".repeat(257), undefined) ?? "", /longer than 256 bytes/)
    assert.match(checkOrderingKey("k", "K") ?? "", /another one/)
  })
})

describe("orderedPayload", () => {
  it("finds a text at the top of an object, and no other", () => {
    class Order {
      readonly ordering_key = "k"
    }
    const plain = { ordering_key: "k" }
    deepStrictEqual(orderedPayload(plain), { payload: plain, orderingKey: "k" })
    strictEqual(orderedPayload(plain).payload, plain)
    strictEqual(orderedPayload(new Order()).orderingKey, "k")
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
        Object.create({ ordering_key: "k" }),
        throwing
      ]
    ) {
      strictEqual(orderedPayload(payload).orderingKey, undefined)
    }
  })

  it("asks a toJSON or a getter once, and goes on with its answer", () => {
    let asked = 0
    const payload = {
      toJSON: () => {
        asked++
        return { n: 1, ordering_key: "k" }
      }
    }
    deepStrictEqual(orderedPayload(payload), { payload: { n: 1, ordering_key: "k" }, orderingKey: "k" })
    const getter = {
      get ordering_key() {
        asked++
        return "g"
      }
    }
    const ordered = orderedPayload(getter)
    strictEqual(ordered.orderingKey, "g")
    assert.isUndefined(Object.getOwnPropertyDescriptor(ordered.payload, "ordering_key")?.get)
    assert.isAtMost(asked, 3, "one walk and one write for the getter")
  })
})

describe("checkPayloadOrderingKey", () => {
  it("takes 256 bytes of UTF-8", () => {
    for (const key of ["k", "x".repeat(256), "é".repeat(128), "語".repeat(85)]) {
      strictEqual(checkPayloadOrderingKey(key), undefined)
    }
  })

  it("refuses more, and says how many there are", () => {
    for (const key of ["x".repeat(257), `${"é".repeat(128)}x`]) {
      assert.match(checkPayloadOrderingKey(key) ?? "", /has 257 bytes, at most 256/)
    }
    assert.match(checkPayloadOrderingKey("語".repeat(86)) ?? "", /has 258 bytes/)
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
