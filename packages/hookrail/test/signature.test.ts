import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import * as crypto from "node:crypto"
import * as kernel from "../src/signature/kernel.js"
import { deliveryId, negativeMac, secret, t, vectors } from "./utils/vectors.js"

const tolerance = 300_000
const [body, mac] = vectors[0]!

const header = `t=${t},v1=${mac}`
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

const withoutNodeCrypto = <A>(f: () => A): A => {
  const spy = vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined as never)
  try {
    return f()
  } finally {
    spy.mockRestore()
  }
}

const backends: ReadonlyArray<readonly [name: string, importKey: (secret: string) => kernel.Key]> = [
  ["node:crypto", kernel.importKey],
  ["WebCrypto", (secret) => withoutNodeCrypto(() => kernel.importKey(secret))]
]

interface Attempt {
  readonly secrets?: ReadonlyArray<string>
  readonly signature?: string
  readonly deliveryId?: string
  readonly body?: string | Uint8Array | ArrayBuffer
  readonly nowMillis?: number
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe("backends", () => {
  it("are synchronous with node:crypto, and Promises without", async () => {
    const verdicts = backends.map(([, importKey]) =>
      kernel.verify([importKey(secret)], { signature: header, deliveryId }, body, t * 1000, tolerance)
    )
    assert.isFalse(verdicts[0] instanceof Promise)
    assert.isTrue(verdicts[1] instanceof Promise)
    assert.deepStrictEqual(verdicts[0], await verdicts[1])
  })

  it("fall back to WebCrypto where node:crypto is a stub", () => {
    vi.spyOn(process, "getBuiltinModule").mockReturnValue(
      {
        createSecretKey: () => {
          throw new Error("not implemented")
        }
      } as never
    )
    assert.notProperty(kernel.importKey(secret), "mac")
  })

  it("are not needed to be one of them: process may be absent", () => {
    vi.stubGlobal("process", undefined)
    try {
      assert.notProperty(kernel.importKey(secret), "mac")
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it("say so where there is neither", () => {
    const key = withoutNodeCrypto(() => kernel.importKey(secret))
    assert.isTrue(kernel.isUsable(key))
    vi.stubGlobal("crypto", {})
    try {
      assert.isFalse(kernel.isUsable(key))
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

describe.each(backends)("verify with %s", (_, importKey) => {
  const verify = async (attempt: Attempt): Promise<kernel.Verdict> =>
    kernel.verify(
      (attempt.secrets ?? [secret]).map(importKey),
      { signature: attempt.signature ?? header, deliveryId: attempt.deliveryId ?? deliveryId },
      attempt.body ?? body,
      attempt.nowMillis ?? t * 1000,
      tolerance
    )

  const reason = async (attempt: Attempt): Promise<string> => {
    const verdict = await verify(attempt)
    return verdict.ok ? "ok" : verdict.reason
  }

  it.each(vectors)("accepts and reproduces the vector %s", async (body, mac) => {
    const signature = `t=${t},v1=${mac}`
    for (const form of [body, utf8(body), Buffer.from(body), utf8(body).buffer]) {
      assert.strictEqual(await reason({ body: form, signature }), "ok")
      assert.strictEqual(await kernel.sign(importKey(secret), deliveryId, form, t), signature)
    }
  })

  it("R1: gives back what was signed", async () => {
    assert.deepStrictEqual(await verify({}), {
      ok: true,
      webhook: { deliveryId, eventId: undefined, topic: undefined, body, signedAtSeconds: t, secretIndex: 0 }
    })
  })

  it("R2: refuses a key without whsec_, in both directions", async () => {
    assert.strictEqual(await reason({ secrets: ["test_secret"] }), "mismatch")
    assert.strictEqual(await reason({ signature: `t=${t},v1=${negativeMac}` }), "mismatch")
    assert.strictEqual(await reason({ signature: `t=${t},v1=${negativeMac}`, secrets: ["test_secret"] }), "ok")
  })

  it("R3: refuses a body that was parsed and written again", async () => {
    const [delivered, mac] = vectors[1]!
    const signature = `t=${t},v1=${mac}`
    assert.strictEqual(await reason({ body: delivered, signature }), "ok")
    assert.strictEqual(await reason({ body: JSON.stringify(JSON.parse(delivered)), signature }), "mismatch")
  })

  it("R4: the tolerance is inclusive, to the millisecond, in both directions", async () => {
    for (const sign of [1, -1]) {
      assert.strictEqual(await reason({ nowMillis: t * 1000 + sign * tolerance }), "ok")
      const verdict = await verify({ nowMillis: t * 1000 + sign * (tolerance + 1) })
      assert.deepStrictEqual(verdict, {
        ok: false,
        reason: "timestamp",
        fields: { ageSeconds: sign * 300.001, toleranceSeconds: 300 }
      })
    }
  })

  it("tests the time before the MAC, and the form before the time", async () => {
    const late = (t + 1000) * 1000
    assert.strictEqual(await reason({ nowMillis: late, signature: `t=${t},v1=${negativeMac}` }), "timestamp")
    assert.strictEqual(await reason({ nowMillis: late, signature: `t=${t},v1=00` }), "malformed")
  })

  it("refuses whatever the time if the clock is not a number", async () => {
    assert.strictEqual(await reason({ nowMillis: NaN }), "timestamp")
  })

  it("R6: accepts upper-case hex", async () => {
    assert.strictEqual(await reason({ signature: `t=${t},v1=${mac.toUpperCase()}` }), "ok")
  })

  it.each([
    "no signature",
    `v1=${mac}`,
    `t=${t}`,
    `t=abc,v1=${mac}`,
    `t=,v1=${mac}`,
    `t=-1,v1=${mac}`,
    `t=+${t},v1=${mac}`,
    `t=${t}.0,v1=${mac}`,
    `t=1_0,v1=${mac}`,
    `t=1e9,v1=${mac}`,
    `t=0x10,v1=${mac}`,
    `t= ${t},v1=${mac}`,
    `t=١٢٣,v1=${mac}`,
    `t=9007199254740993,v1=${mac}`,
    `t=${"9".repeat(400)},v1=${mac}`,
    `t=${t},v1=`,
    `t=${t},v1=${mac.slice(2)}`,
    `t=${t},v1=${mac}00`,
    // The neighbours of the hex digits.
    ...Array.from("/:@G`g", (char) => `t=${t},v1=${mac.slice(1)}${char}`),
    `t=${t},v1=${mac.slice(0, 62)} 0`,
    // Characters whose low byte is a hex digit, which some decoders take for one.
    `t=${t},v1=${mac.slice(1)}\u0130`,
    `t=${t},v1=${mac.slice(1)}\u0161`,
    `T=${t},V1=${mac}`,
    `t=${t};v1=${mac}`
  ])("R7: %s is malformed", async (signature) => {
    assert.strictEqual(await reason({ signature }), "malformed")
  })

  it("R7: a missing header is malformed, and named", async () => {
    const key = importKey(secret)
    const reasonOf = async (headers: kernel.SignedHeaders) => {
      const verdict = await kernel.verify([key], headers, body, t * 1000, tolerance)
      return verdict.ok || verdict.reason !== "malformed" ? verdict : verdict.fields.reason
    }
    assert.include(await reasonOf({ deliveryId }), "hookrail-signature")
    assert.include(await reasonOf({ deliveryId, signature: "" }), "hookrail-signature")
    assert.include(await reasonOf({ signature: header }), "hookrail-delivery-id")
    assert.include(await reasonOf({ signature: header, deliveryId: "" }), "hookrail-delivery-id")
  })

  it.each([
    `t=${t}, v1=${mac}`,
    `  t=${t} ,\tv1=${mac}  `,
    `v1=${mac},t=${t}`,
    `t=${t},v0=abc,v1=${mac},v2`,
    `,,t=${t},,v1=${mac},`,
    `t=${t},v1=${mac}, =, ,==`,
    // The last one of each counts.
    `t=1,t=${t},v1=${negativeMac},v1=${mac}`,
    `t=x,t=${t},v1=x,v1=${mac}`
  ])("R9: %s is accepted", async (signature) => {
    assert.strictEqual(await reason({ signature }), "ok")
  })

  it("a last part that is unusable is not made up for by an earlier one", async () => {
    assert.strictEqual(await reason({ signature: `${header},t=x` }), "malformed")
    assert.strictEqual(await reason({ signature: `${header},v1=00` }), "malformed")
  })

  it("R11: accepts any of several secrets, and tells which", async () => {
    const others = ["whsec_a", "whsec_b"]
    for (let at = 0; at <= others.length; at++) {
      const verdict = await verify({ secrets: [...others.slice(0, at), secret, ...others.slice(at)] })
      assert.strictEqual(verdict.ok && verdict.webhook.secretIndex, at)
    }
    assert.strictEqual(await reason({ secrets: others }), "mismatch")
  })

  it("tries every secret, also after one has matched, and the first that matches counts", async () => {
    const calls: Array<string> = []
    const names = ["whsec_a", secret, secret]
    const keys = names.map((name) => {
      const key = importKey(name)
      return {
        ...key,
        matches: (head: string, body: string, mac: Uint8Array<ArrayBuffer>) => {
          calls.push(name)
          return key.matches(head, body, mac)
        }
      } as kernel.Key
    })
    const verdict = await kernel.verify(keys, { signature: header, deliveryId }, body, t * 1000, tolerance)
    assert.strictEqual(verdict.ok && verdict.webhook.secretIndex, 1)
    assert.sameMembers(calls, names)
  })

  it("R12: refuses another delivery id", async () => {
    assert.strictEqual(await reason({ deliveryId: "01JXAMPLEDELIVERYID0000001" }), "mismatch")
  })

  it("does not let the end of the delivery id move into the body", async () => {
    // The signed bytes are the same: <t>.<id>.<body>.
    const body = `{"price": 1.50}`
    const signature = await kernel.sign(importKey(secret), deliveryId, body, t)
    const [before, after] = body.split(".")
    const moved = { deliveryId: `${deliveryId}.${before}`, body: after!, signature }
    assert.strictEqual(await kernel.sign(importKey(secret), moved.deliveryId, moved.body, t), signature)
    assert.strictEqual(await reason(moved), "malformed")
  })

  it("R13: has no memory: a repeated delivery verifies again, with the same delivery id", async () => {
    assert.deepStrictEqual(await verify({}), await verify({}))
  })

  it.each([undefined, null, 42, true, {}, [1], { order_id: "o_1" }, new Date(0), new Uint16Array(2)])(
    "refuses the body %s and asks for the raw one",
    async (body) => {
      const verdict = await kernel.verify(
        [importKey(secret)],
        { signature: header, deliveryId },
        body as never,
        t * 1000,
        tolerance
      )
      assert.isTrue(
        !verdict.ok && verdict.reason === "malformed" && /raw body.*JSON\.stringify/.test(verdict.fields.reason)
      )
    }
  )

  it("takes a part of a buffer for that part", async () => {
    const whole = Buffer.from(`xx${body}yy`)
    assert.strictEqual(await reason({ body: whole.subarray(2, -2) }), "ok")
  })

  it("is not confused by verifications at the same time", async () => {
    const bodies = Array.from({ length: 20 }, (_, index) => `{"n": ${index}}`)
    const key = importKey(secret)
    const signatures = await Promise.all(bodies.map(async (body) => kernel.sign(key, deliveryId, body, t)))
    const reasons = await Promise.all(
      bodies.map((_, index) => reason({ body: bodies[index]!, signature: signatures[(index + (index % 2)) % 20]! }))
    )
    assert.deepStrictEqual(reasons, bodies.map((_, index) => index % 2 === 0 ? "ok" : "mismatch"))
  })

  it("takes the body as it is at the call", async () => {
    const buffer = Buffer.from(body)
    const verdict = verify({ body: buffer })
    buffer.fill(0)
    assert.isTrue((await verdict).ok)
  })

  it("sign refuses what is no body", () => {
    assert.throws(() => kernel.sign(importKey(secret), deliveryId, { a: 1 } as never, t), TypeError, "raw body")
  })

  const signed = fc.record({
    secret: fc.string({ minLength: 1 }).map((text) => `whsec_${text}`),
    deliveryId: fc.string({ minLength: 1, unit: "grapheme" }).filter((id) => !id.includes(".")),
    body: fc.uint8Array({ maxLength: 200 }),
    timestamp: fc.nat({ max: 4_000_000_000 })
  })

  it("property: what is signed verifies", () =>
    fc.assert(
      fc.asyncProperty(signed, fc.integer({ min: -tolerance, max: tolerance }), async (input, age) => {
        const signature = await kernel.sign(importKey(input.secret), input.deliveryId, input.body, input.timestamp)
        const nowMillis = input.timestamp * 1000 + age
        assert.strictEqual(
          await reason({ ...input, secrets: ["whsec_other_0123456789", input.secret], signature, nowMillis }),
          "ok"
        )
      }),
      { seed: 1, numRuns: 200 }
    ))

  it("property: no bit of body, delivery id, timestamp or MAC can be another", () =>
    fc.assert(
      fc.asyncProperty(
        signed,
        fc.constantFrom("body", "deliveryId", "timestamp", "mac"),
        fc.nat(),
        async (input, part, at) => {
          const key = importKey(input.secret)
          const original = await kernel.sign(key, input.deliveryId, input.body, input.timestamp)
          const [, text] = original.split("v1=")
          const flip = (bytes: Uint8Array): Buffer => {
            const copy = Buffer.from(bytes)
            if (copy.length > 0) copy[(at >> 3) % copy.length]! ^= 1 << (at & 7)
            return copy
          }
          // Flipped as UTF-16, since half a UTF-8 character would be replaced and not differ.
          const flipText = (text: string) => {
            const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index))
            units[(at >> 3) % units.length]! ^= 1 << (at & 7)
            return String.fromCharCode(...units)
          }
          const timestamp = part === "timestamp" ? input.timestamp ^ (1 << (at % 31)) : input.timestamp
          const mac = part === "mac" ? flip(Buffer.from(text!, "hex")).toString("hex") : text
          const changed = {
            secrets: [input.secret],
            body: part === "body" ? flip(input.body) : input.body,
            deliveryId: part === "deliveryId" ? flipText(input.deliveryId) : input.deliveryId,
            signature: `t=${timestamp},v1=${mac}`,
            nowMillis: timestamp * 1000
          }
          fc.pre(part !== "body" || input.body.length > 0)
          fc.pre(Buffer.from(changed.deliveryId).compare(Buffer.from(input.deliveryId)) !== 0 || part !== "deliveryId")
          fc.pre(timestamp >= 0)
          assert.notStrictEqual(await reason(changed), "ok")
        }
      ),
      { seed: 2, numRuns: 300 }
    ))

  it("property: agrees with plain createHmac", () =>
    fc.assert(
      fc.asyncProperty(signed, async ({ body, deliveryId, secret, timestamp }) => {
        const hmac = crypto.createHmac("sha256", secret).update(`${timestamp}.${deliveryId}.`).update(body)
        assert.strictEqual(
          await kernel.sign(importKey(secret), deliveryId, body, timestamp),
          `t=${timestamp},v1=${hmac.digest("hex")}`
        )
      }),
      { seed: 3, numRuns: 100 }
    ))
})

describe("parseSignature", () => {
  const parse = (header: string) => {
    const bytes = new Uint8Array(32)
    return [kernel.parseSignature(header, bytes), Buffer.from(bytes).toString("hex")] as const
  }

  it("gives time and bytes", () => {
    assert.deepStrictEqual(parse(header), [t, mac])
    assert.deepStrictEqual(parse(`t=0,v1=${mac}`), [0, mac])
    assert.deepStrictEqual(parse(`t=9007199254740991,v1=${mac}`), [Number.MAX_SAFE_INTEGER, mac])
    // As Hookrail's own parser, which signs the number and not its text.
    assert.deepStrictEqual(parse(`t=007,v1=${mac}`), [7, mac])
  })

  /** The rules as they are written, slow and plain. */
  const reference = (header: string): number => {
    const last = (prefix: string) =>
      header.split(",").map((part) => part.replace(/^[\0- ]+|[\0- ]+$/g, "")).filter((part) => part.startsWith(prefix))
        .at(-1)?.slice(prefix.length) ?? ""
    const [time, mac] = [last("t="), last("v1=")]
    const seconds = /^[0-9]+$/.test(time) ? BigInt(time) : -1n
    return /^[0-9a-fA-F]{64}$/.test(mac) && seconds <= Number.MAX_SAFE_INTEGER ? Number(seconds) : -1
  }

  const piece = fc.oneof(
    fc.constantFrom("t=", "v1=", "t=1781092800", `v1=${mac}`, `v1=${mac.toUpperCase()}`, ",", ", ", " ", "=", "-", "0"),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.nat().map((n) => `t=${n}`),
    fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEFg "), minLength: 60, maxLength: 68 }).map((x) =>
      `v1=${x}`
    )
  )
  const headers = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(","))
  )

  it("property: never throws, gives a number of seconds or -1, and as the rules have it", () => {
    let usable = 0
    fc.assert(
      fc.property(headers, (header) => {
        const seconds = kernel.parseSignature(header, new Uint8Array(32))
        assert.isTrue(seconds === -1 || (Number.isSafeInteger(seconds) && seconds >= 0))
        assert.strictEqual(seconds, reference(header))
        if (seconds >= 0) usable++
      }),
      { seed: 4, numRuns: 20_000 }
    )
    assert.isAbove(usable, 200)
  })

  it("takes time in proportion to the length", () => {
    for (const unit of [",", " ", "t=", "v1=", "t=1,", " ,"]) {
      assert.strictEqual(kernel.parseSignature(unit.repeat(200_000), new Uint8Array(32)), -1)
    }
  })
})

describe("readHeaders", () => {
  const expected = { signature: header, deliveryId, eventId: "e", topic: "orders.created" }
  const lower = {
    "hookrail-signature": header,
    "hookrail-delivery-id": deliveryId,
    "hookrail-event-id": "e",
    "hookrail-topic": "orders.created"
  }
  const canonical = Object.fromEntries(
    Object.entries(lower).map(([name, value]) => [name.replace(/\b[a-z]/g, (char) => char.toUpperCase()), value])
  )

  it("reads any kind of headers, names in any case", () => {
    for (
      const headers of [
        lower,
        canonical,
        Object.assign(Object.create(null), lower) as typeof lower,
        new Headers(canonical),
        new Map(Object.entries(lower)),
        Object.fromEntries(Object.entries(lower).map(([name, value]) => [name, [value]])),
        { "hookrail-signature": undefined, "HOOKRAIL-EVENT-ID": undefined, ...canonical }
      ]
    ) {
      assert.deepStrictEqual(kernel.readHeaders(headers), expected)
    }
  })

  it("gives undefined for what is missing", () => {
    const none = { signature: undefined, deliveryId: undefined, eventId: undefined, topic: undefined }
    for (const headers of [{}, new Headers(), { "": "x", "hookrail-topic": "" }, undefined, null, 1]) {
      assert.deepStrictEqual(kernel.readHeaders(headers as never), none)
    }
  })

  it("of a repeated signature, the last one counts", () => {
    const { signature } = kernel.readHeaders({ "hookrail-signature": ["t=1,v1=00", header] })
    assert.strictEqual(kernel.parseSignature(signature!, new Uint8Array(32)), t)
  })

  const topicOf = (topic: string) => kernel.readHeaders({ "hookrail-topic": topic }).topic

  it("decodes UTF-8 that was read as Latin-1", () => {
    for (const topic of ["commandes.créées", "订单.created", "😀", "100%", "\ufeffx"]) {
      assert.strictEqual(topicOf(Buffer.from(topic).toString("latin1")), topic)
    }
  })

  it("leaves alone what is decoded already, or is no UTF-8", () => {
    for (const topic of ["orders.created", "créées", "订单", "Ã©订", "%41", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80"]) {
      assert.strictEqual(topicOf(topic), topic)
    }
  })
})

describe("isSecret", () => {
  it.each(["whsec_1234567890", "éééééééé", "a b 1234567890ab", "whsec_\"123456789"])("accepts %j", (secret) => {
    assert.isTrue(kernel.isSecret(secret))
  })

  const long = "whsec_1234567890"

  it.each([
    undefined,
    null,
    1,
    "",
    " ",
    "\n",
    `${long}\n`,
    ` ${long}`,
    `"${long}"`,
    `'${long}'`,
    `\`${long}\``,
    `\ufeff${long}`
  ])(
    "refuses %j",
    (secret) => {
      assert.isFalse(kernel.isSecret(secret))
    }
  )
})

describe("isSecret, of what is too short to be one", () => {
  it.each(["whsec_", "undefined", "null", "whsec_undefined", "whsec_123456789", "ééééééé1"])("refuses %j", (secret) => {
    assert.isFalse(kernel.isSecret(secret))
  })
})

describe("cachedKey", () => {
  it("gives the same key for the same secret, and does not grow without bound", () => {
    const key = kernel.cachedKey("whsec_cached")
    assert.strictEqual(kernel.cachedKey("whsec_cached"), key)
    for (let index = 0; index < 1000; index++) kernel.cachedKey(`whsec_${index}`)
    assert.notStrictEqual(kernel.cachedKey("whsec_cached"), key)
  })
})
