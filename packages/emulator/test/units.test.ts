import { connect } from "node:net"
import { assert, describe, it } from "vitest"
import { manualClock, realClock } from "../src/base/clock.js"
import { TokenBucket } from "../src/base/limiter.js"
import { topicMatches } from "../src/base/matching.js"
import { seededRandom } from "../src/base/random.js"
import { addressAllowed, strictUrlPolicy } from "../src/base/urlPolicy.js"
import { jitterBound, nextDelay, parseRetryAfter } from "../src/delivery/backoff.js"
import { signature } from "../src/delivery/signing.js"
import { cleanPath } from "../src/http/routing.js"
import { formatTime } from "../src/http/time.js"
import { encodeJson } from "../src/http/wire.js"
import { startEmulator } from "../src/index.js"
import { lenientUtf8 } from "../src/json/text.js"
import { History } from "../src/store/history.js"

describe("clock", () => {
  it("runs tasks in the order of their times, and of asking", async () => {
    const clock = manualClock(0)
    const ran: Array<string> = []
    for (const [name, at] of [["c", 30], ["a", 10], ["b", 10], ["d", 31]] as const) {
      clock.at(at, () => ran.push(`${name}${clock.now()}`))
    }
    clock.at(20, () => ran.push("cancelled")).cancel()
    await clock.advance(30, () => Promise.resolve())
    assert.deepStrictEqual(ran, ["a10", "b10", "c30"])
    assert.strictEqual(clock.now(), 30)
  })

  it("runs what tasks ask for within the same move", async () => {
    const clock = manualClock(0)
    const ran: Array<number> = []
    const again = (): void => {
      ran.push(clock.now())
      clock.at(clock.now() + 10, again)
    }
    clock.at(10, again)
    await clock.advance(35, () => Promise.resolve())
    assert.deepStrictEqual(ran, [10, 20, 30])
  })

  it("keeps thousands of times in order", async () => {
    const random = seededRandom(1)
    const clock = manualClock(0)
    const ran: Array<number> = []
    for (let n = 0; n < 5000; n++) {
      const time = Math.floor(random.next() * 1000)
      const timer = clock.at(time, () => ran.push(time))
      if (n % 3 === 0) timer.cancel()
    }
    await clock.advance(1000, () => Promise.resolve())
    assert.deepStrictEqual(ran, [...ran].sort((a, b) => a - b))
    assert.lengthOf(ran, 3333)
  })

  it("follows the system, and stops", async () => {
    const clock = realClock()
    const order: Array<number> = []
    // One reading of the clock: on a busy machine it moves on between two.
    const start = clock.now()
    await new Promise<void>((resolve) => {
      clock.at(start + 2, () => {
        order.push(2)
        resolve()
      })
      clock.at(start + 1, () => order.push(1))
    })
    assert.deepStrictEqual(order, [1, 2])
    clock.at(clock.now() + 1e10, () => assert.fail("stopped"))
    clock.stop()
  })
})

describe("backoff", () => {
  const policy = { baseMs: 5000, capMs: 21_600_000 }

  it("doubles up to the cap", () => {
    assert.deepStrictEqual([1, 2, 3, 13, 14, 100].map((attempt) => jitterBound(policy, attempt)), [
      5000,
      10_000,
      20_000,
      20_480_000,
      21_600_000,
      21_600_000
    ])
  })

  it("draws full jitter, and lets a longer Retry-After win up to the cap", () => {
    const random = { next: () => 0.5, bytes: () => new Uint8Array() }
    assert.deepStrictEqual([undefined, 2000, 3000, 1e9].map((asked) => nextDelay(policy, 1, asked, random)), [
      2500,
      2500,
      3000,
      21_600_000
    ])
  })

  it("reads Retry-After as the server does", () => {
    const now = Date.UTC(2030, 0, 1)
    const cases: ReadonlyArray<readonly [string | undefined, number | undefined]> = [
      [undefined, undefined],
      ["120", 120_000],
      ["0", 0],
      ["-1", undefined],
      ["1.5", undefined],
      ["soon", undefined],
      ["Tue, 01 Jan 2030 00:00:30 GMT", 30_000],
      ["Mon, 31 Dec 2029 00:00:00 GMT", undefined]
    ]
    for (const [value, expected] of cases) assert.strictEqual(parseRetryAfter(value, now), expected)
  })
})

describe("signature", () => {
  const vectors: ReadonlyArray<readonly [string, string]> = [
    ["{\"order_id\":\"o_1\",\"amount\":42}", "d270845b932d510270e3b7132b702de5b0c03c3781221badb79fe39c66672644"],
    ["{\"amount\": 42, \"order_id\": \"o_1\"}", "677d87835dacadc49aad7b3dbb29194298af6b74f285168962ee123200342c34"],
    ["", "42632ca7c8af0bb35f2d50f4e98bbb536149826d386a5c46e4bde4164d97cbec"],
    ["null", "aec4e823cfc753d2e49f7b12e1680d75fdb66bd14cb2c8537e153a5094dc124c"],
    ["{\"name\": \"\u00e9\ud83d\ude00\"}", "7bbe25764262956eee43e16b08cf849fe8fa742968a3c7d52907c4edec73eb56"]
  ]
  for (const [body, mac] of vectors) {
    it(`signs ${JSON.stringify(body)}`, () =>
      assert.strictEqual(
        signature("whsec_test_secret", 1_781_092_800, "01JXAMPLEDELIVERYID0000000", body),
        `t=1781092800,v1=${mac}`
      ))
  }
})

describe("texts", () => {
  it("escapes JSON as Go does", () =>
    assert.strictEqual(encodeJson("<>&\u2028\b"), "\"\\u003c\\u003e\\u0026\\u2028\\b\""))

  it("writes times with as few digits as Go does", () => {
    assert.deepStrictEqual([0, 1, 120, 60_000].map(formatTime), [
      "1970-01-01T00:00:00Z",
      "1970-01-01T00:00:00.001Z",
      "1970-01-01T00:00:00.12Z",
      "1970-01-01T00:01:00Z"
    ])
  })

  it("replaces each stray byte once", () => {
    const read = (hex: string): string => lenientUtf8(Buffer.from(hex, "hex"))
    assert.deepStrictEqual(["41", "c3a9", "e282", "ff41", "c0af", "eda080"].map(read), [
      "A",
      "\u00e9",
      "\ufffd\ufffd",
      "\ufffdA",
      "\ufffd\ufffd",
      "\ufffd\ufffd\ufffd"
    ])
  })

  it("cleans paths", () => {
    const cases = { "//a": "/a", "/a/": "/a/", "/a/../..": "/", "/a/./b": "/a/b", "//": "/", "/a//": "/a/" }
    for (const [path, clean] of Object.entries(cases)) assert.strictEqual(cleanPath(path), clean)
  })
})

describe("rules", () => {
  it("matches topics", () => {
    const cases: ReadonlyArray<readonly [string, string, boolean]> = [
      ["*", "", true],
      ["orders.*", "orders.a.b", true],
      ["orders.*", "orders.", true],
      ["orders.*", "orders", false],
      ["a*", "ab", false],
      ["a*", "a*", true],
      ["", "", false],
      ["T", "t", false],
      [".*", ".x", true]
    ]
    for (const [pattern, topic, expected] of cases) assert.strictEqual(topicMatches(pattern, topic), expected)
  })

  it("fills a bucket with time, up to its burst", () => {
    const bucket = new TokenBucket({ rps: 2, burst: 2 }, 0)
    assert.deepStrictEqual([0, 0, 0, 500, 500, 9000, 9000, 9000].map((now) => bucket.take(now)), [
      true,
      true,
      false,
      true,
      false,
      true,
      true,
      false
    ])
  })

  it("knows private addresses", () => {
    const refused = [
      "10.1.2.3",
      "172.16.0.1",
      "192.168.1.1",
      "169.254.1.1",
      "224.0.0.1",
      "::",
      "fd00::1",
      "::ffff:7f00:1"
    ]
    assert.deepStrictEqual(refused.filter((address) => addressAllowed(strictUrlPolicy, address)), [])
    assert.isTrue(addressAllowed(strictUrlPolicy, "93.184.216.34"))
    assert.isTrue(addressAllowed({ allowHttp: true, allowCidrs: ["10.0.0.0/8"] }, "10.1.2.3"))
  })
})

describe("server", () => {
  /** Writes texts to a new connection, one packet each, and gives what comes back until it is closed. */
  const raw = (url: string, ...texts: ReadonlyArray<string>): Promise<string> =>
    new Promise((resolve) => {
      const write = async (): Promise<void> => {
        for (const text of texts) {
          await new Promise((sent) => socket.write(text, sent))
          // Long enough for a reader in this process to take it alone.
          for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
        }
      }
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => void write())
      socket.setNoDelay(true)
      let answer = ""
      socket.setEncoding("utf8").on("data", (chunk: string) => answer += chunk)
      socket.on("close", () => resolve(answer))
    })

  it("answers 400 to a body that does not come, and closes", async () => {
    await using emulator = await startEmulator({ bodyTimeoutMs: 10 })
    const answer = await raw(
      emulator.url,
      `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${emulator.apiKey}\r\nContent-Length: 9\r\n\r\n{`
    )
    assert.match(answer, /^HTTP\/1.1 400 Bad Request\r\n/)
    assert.include(answer, "expected {")
    assert.match(answer, /\r\nConnection: close\r\n/)
  })

  it("answers what is no HTTP, and targets that are no paths", async () => {
    await using emulator = await startEmulator()
    assert.match(await raw(emulator.url, "nonsense\r\n\r\n"), /^HTTP\/1.1 400 Bad Request\r\n/)
    assert.match(await raw(emulator.url, "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 400 Bad Request\r\n/)
  })

  it("knows methods that Node does not, however they come", async () => {
    await using emulator = await startEmulator()
    const foo = (path: string): string => `FOO ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
    assert.match(await raw(emulator.url, foo("/v1/events")), /^HTTP\/1.1 405 Method Not Allowed\r\nAllow: POST\r\n/)
    assert.match(await raw(emulator.url, foo("/v1//events")), /^HTTP\/1.1 307 /)
    assert.match(await raw(emulator.url, "post /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 405 /)
    // In the middle of a connection: the answers come in the order of the requests.
    const both = await raw(emulator.url, `GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n${foo("/v1/events")}`)
    assert.deepStrictEqual(both.match(/^HTTP\/1.1 \d+/gm), ["HTTP/1.1 200", "HTTP/1.1 405"])
    assert.match(await raw(emulator.url, "FOO /v1", "/events HTTP/1.1\r\nHo", "st: x\r\n\r\n"), /^HTTP\/1.1 405 /)
    assert.match(await raw(emulator.url, "F", "OO /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 405 /)
    // The M is lost to the parser; what is left of the name must not become another request.
    assert.match(await raw(emulator.url, "M", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 405 /)
    assert.match(await raw(emulator.url, "CONNECT /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1.1 405 /)
    assert.match(await raw(emulator.url, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), /^HTTP\/1.1 404 /)
    const { requests } = emulator.ledger()
    assert.strictEqual(requests[0]?.method, "FOO")
    assert.strictEqual(requests[0]?.headers["host"], "x")
    assert.deepStrictEqual([...new Set(requests.map(({ outcome }) => outcome))], ["answered"])
  })

  it("takes no line for a request that Go would not", async () => {
    await using emulator = await startEmulator()
    for (
      const text of [
        "F(O /v1/events HTTP/1.1\r\nHost: x\r\n\r\n",
        "FOO /v1/events HTTP/1.1\r\n\r\n",
        "FOO /v1/events HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "FOO /v1/events HTTP/9\r\nHost: x\r\n\r\n",
        "FOO  /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"
      ]
    ) assert.match(await raw(emulator.url, text), /^HTTP\/1.1 400 Bad Request\r\n/, text)
  })

  it("asks for a body only when it wants it", async () => {
    await using emulator = await startEmulator()
    const head = (key: string): string =>
      `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Length: 2\r\n` +
      "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    assert.match(await raw(emulator.url, head("hk_bad")), /^HTTP\/1.1 401 /)
    assert.match(await raw(emulator.url, head(emulator.apiKey) + "{}"), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 400 /)
  })
})

describe("what is kept for the page", () => {
  const request = (headers: Record<string, string>, body = "") => ({
    at: 0,
    headers,
    body: Buffer.from(body),
    idempotencyKey: undefined
  })
  const attempt = (rawHeaders: ReadonlyArray<string>) => ({
    at: 0,
    attemptNo: 1,
    claimVersion: 1,
    status: "success" as const,
    httpStatus: 200,
    errorClass: undefined,
    latencyMs: 1,
    url: "http://a.test/",
    fault: undefined,
    secret: "whsec_x",
    headers: undefined,
    response: { rawHeaders, body: Buffer.alloc(0), bodyBytes: 0 }
  })

  it("counts headers as well as bodies", () => {
    const history = new History(8 * 1024)
    const events = Array.from({ length: 4 }, () => ({ deliveries: [{}] }))
    const long = "x".repeat(4 * 1024)
    history.sent(events[0]!, request({}, "small"))
    history.sent(events[1]!, request({ "x-long": long }))
    assert.isDefined(history.requestOf(events[0]!))
    history.sent(events[2]!, request({}, long))
    assert.deepStrictEqual(events.map((event) => history.requestOf(event) !== undefined), [false, false, true, false])
    history.attempted(events[3]!.deliveries[0]!, attempt(["x-long", long]))
    assert.isUndefined(history.requestOf(events[2]!))
    assert.lengthOf([...history.attemptsOf(events[3]!.deliveries[0]!)], 1)
  })
})
