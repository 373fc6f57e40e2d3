import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { connect } from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { EmulatorStartError, type RunningEmulator, startEmulator } from "../src/index.js"
import { control } from "./utils/control.js"
import { call } from "./utils/http.js"

let emulator: RunningEmulator
let base: string
let raw: ReturnType<typeof control>["raw"]

beforeAll(async () => {
  emulator = await startEmulator({ page: true, host: "0.0.0.0" })
  ;({ base, raw } = control(emulator))
})
afterAll(() => emulator.close())

const portOf = (url: string): string => new URL(url).port

describe("the page's port", () => {
  it("is off unless asked for", async () => {
    await using plain = await startEmulator()
    assert.deepStrictEqual([plain.pageUrl, plain.pageToken], ["", ""])
  })

  it("has its token behind the #, where no server, log or referrer sees it", () => {
    assert.match(emulator.pageUrl, /^http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]{32}$/)
    assert.strictEqual(emulator.pageUrl, `${base}/#token=${emulator.pageToken}`)
  })

  it("draws another token for each emulator, whatever its seed", async () => {
    await using first = await startEmulator({ page: true, seed: 1 })
    await using second = await startEmulator({ page: true, seed: 1 })
    assert.strictEqual(first.apiKey, second.apiKey)
    assert.notStrictEqual(first.pageToken, second.pageToken)
  })

  it("takes a token and a port, and refuses bad ones without showing them", async () => {
    await using own = await startEmulator({ page: { token: "a_token_of_my_own" } })
    assert.strictEqual(own.pageToken, "a_token_of_my_own")
    const failure = (page: object): Promise<unknown> =>
      startEmulator({ page }).then(() => "started", (error: unknown) => error)
    const short = await failure({ token: "s3cret" })
    assert.instanceOf(short, EmulatorStartError)
    assert.strictEqual(short.option, "page.token")
    assert.notInclude(short.message, "s3cret")
    const taken = await failure({ port: Number(portOf(own.pageUrl)) })
    assert.instanceOf(taken, EmulatorStartError)
    assert.strictEqual(taken.option, "page.port")
  })

  it("listens on the loopback only, whatever the host of the emulator", async () => {
    // 127.0.0.2 is this machine as well, and reaches whatever listens on all addresses.
    const reached = (port: string): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), "127.0.0.2", () => {
          socket.destroy()
          resolve(true)
        })
        socket.on("error", () => resolve(false))
      })
    assert.deepStrictEqual([await reached(portOf(emulator.url)), await reached(portOf(base))], [true, false])
  })

  it("nothing but the listener is loaded at the start", () => {
    const source = readFileSync(new URL("../src/emulator.ts", import.meta.url), "utf8")
    assert.deepStrictEqual(source.match(/^import .*\/control\/.*$/gm), [
      "import { listenForPage } from \"./control/listener.js\""
    ])
    const listener = readFileSync(new URL("../src/control/listener.ts", import.meta.url), "utf8")
    assert.notMatch(listener, /from "\.\/(?!\.)/)
  })
})

describe("the document", () => {
  it("is one file whose policy allows its own script and style by hash, and nothing else", async () => {
    const { body, headers, status } = await call("GET", `${base}/`, { headers: { Host: new URL(base).host } })
    assert.strictEqual(status, 200)
    const [, style = ""] = /<style>([^]*)<\/style>/.exec(body) ?? []
    const [, script = ""] = /<script>([^]*)<\/script>/.exec(body) ?? []
    const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`
    const policy = String(headers["content-security-policy"])
    assert.include(policy, "default-src 'none';")
    assert.include(policy, `script-src ${hash(script)};`)
    assert.include(policy, `style-src ${hash(style)};`)
    assert.include(policy, "frame-ancestors 'none'")
    assert.notMatch(policy, /unsafe|\*|https?:/)
    assert.notMatch(body.replace(script, "").replace(style, ""), /(src|href)="(?!data:)/)
    assert.notMatch(style, /url\(|@import/)
    assert.notInclude(body, emulator.pageToken)
    assert.strictEqual(headers["set-cookie"], undefined)
  }, 60_000)

  it("may be opened by a link from elsewhere, but not framed or fetched by another site", async () => {
    const fetchedBy = async (site: string, mode: string, dest: string): Promise<number> =>
      (await call("GET", `${base}/`, {
        headers: { "Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest }
      })).status
    assert.strictEqual(await fetchedBy("none", "navigate", "document"), 200)
    assert.strictEqual(await fetchedBy("cross-site", "navigate", "document"), 200)
    assert.strictEqual(await fetchedBy("cross-site", "navigate", "iframe"), 403)
    assert.strictEqual(await fetchedBy("same-site", "navigate", "iframe"), 403)
    assert.strictEqual(await fetchedBy("cross-site", "no-cors", "script"), 403)
    assert.strictEqual(await fetchedBy("same-site", "cors", "empty"), 403)
  })
})

describe("attacks", () => {
  const state = (headers: Record<string, string> = {}) => raw("GET", "/api/state", undefined, headers)

  it("a name that was rebound to this machine gets nothing, not even the document", async () => {
    for (
      const host of [
        "evil.test",
        `evil.test:${portOf(base)}`,
        "127.0.0.1",
        "127.0.0.1:1",
        `127.0.0.1.evil.test:${portOf(base)}`
      ]
    ) {
      assert.strictEqual((await state({ Host: host })).status, 403, host)
      assert.strictEqual((await call("GET", `${base}/`, { headers: { Host: host } })).status, 403, host)
    }
    for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
      assert.strictEqual((await state({ Host: `${host}:${portOf(base)}` })).status, 200, host)
    }
  })

  it("another origin gets nothing, even with the token", async () => {
    for (
      const origin of [
        "http://evil.test",
        "null",
        "http://127.0.0.1:3000",
        `https://127.0.0.1:${portOf(base)}`,
        "file://"
      ]
    ) {
      const { headers, status } = await state({ Origin: origin })
      assert.strictEqual(status, 403, origin)
      assert.deepStrictEqual(Object.keys(headers).filter((name) => name.startsWith("access-control")), [])
    }
    assert.strictEqual((await state({ Origin: base })).status, 200)
    // A page at "localhost" must not reach into one at "127.0.0.1".
    assert.strictEqual((await state({ Origin: `http://localhost:${portOf(base)}` })).status, 403)
  })

  it("a script of another site, or of another port of this machine, gets nothing", async () => {
    for (const site of ["cross-site", "same-site", "none", "whatever"]) {
      assert.strictEqual((await state({ "Sec-Fetch-Site": site })).status, 403, site)
    }
    assert.strictEqual((await state({ "Sec-Fetch-Site": "same-origin" })).status, 200)
    // Only the document may be navigated to.
    const opened = { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" }
    assert.strictEqual((await state(opened)).status, 403)
  })

  it("a preflight is never granted", async () => {
    const { headers, status } = await call("OPTIONS", `${base}/api/events`, {
      headers: {
        Origin: base,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization"
      }
    })
    assert.isAtLeast(status, 400)
    assert.deepStrictEqual(Object.keys(headers).filter((name) => name.startsWith("access-control")), [])
  })

  it("without the token nothing is told, not even which calls there are", async () => {
    const without = async (path: string, headers: Record<string, string> = {}) =>
      (await call("GET", base + path, { headers })).status
    const { pageToken } = emulator
    assert.strictEqual(await without("/api/state"), 401)
    assert.strictEqual(await without("/api/nothing"), 401)
    assert.strictEqual(await without(`/api/state?token=${pageToken}`), 401)
    assert.strictEqual(await without("/api/state", { Cookie: `token=${pageToken}` }), 401)
    for (
      const wrong of [
        `Bearer ${pageToken}x`,
        `Bearer ${pageToken.slice(1)}`,
        `Basic ${pageToken}`,
        "Bearer ",
        `bearer ${pageToken}`
      ]
    ) {
      assert.strictEqual(await without("/api/state", { Authorization: wrong }), 401, wrong)
    }
    assert.strictEqual(await without("/api/state", { Authorization: `Bearer ${emulator.adminToken}` }), 401)
    assert.strictEqual(await without("/api/feed"), 401)
  })

  it("the token opens neither the producer side nor the admin API", async () => {
    const headers = { Authorization: `Bearer ${emulator.pageToken}` }
    assert.strictEqual(
      (await call("GET", `http://127.0.0.1:${portOf(emulator.adminUrl)}/v1/whoami`, { headers })).status,
      401
    )
    assert.strictEqual(
      (await call("GET", `http://127.0.0.1:${portOf(emulator.url)}/v1/events/x`, { headers })).status,
      401
    )
  })

  it("paths lead to calls only, never to files", async () => {
    for (
      const path of [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/../../package.json",
        "//evil.test/",
        "/index.html",
        "/api/events/..%2f..%2fstate",
        "/api/events/__proto__",
        "/api/deliveries/constructor",
        "/%",
        "/api/state/"
      ]
    ) {
      const { body, headers, status } = await raw("GET", path)
      assert.include([307, 400, 404, 405], status, path)
      if (status === 307) assert.match(String(headers["location"]), /^\/(?!\/)/, path)
      assert.notInclude(body, "root:", path)
    }
  })

  it("every answer has the headers that keep it to itself", async () => {
    const answers = [
      await raw("GET", "/api/state"),
      await raw("GET", "/nothing"),
      await raw("POST", "/api/faults", "{"),
      await state({ Host: "evil.test" }),
      await call("GET", `${base}/api/state`),
      await raw("HEAD", "/api/state"),
      await raw("DELETE", "/api/faults")
    ]
    for (const { headers } of answers) {
      assert.strictEqual(headers["cache-control"], "no-store")
      assert.strictEqual(headers["referrer-policy"], "no-referrer")
      assert.strictEqual(headers["x-content-type-options"], "nosniff")
      assert.strictEqual(headers["x-frame-options"], "DENY")
      assert.strictEqual(headers["cross-origin-resource-policy"], "same-origin")
      assert.match(String(headers["content-security-policy"]), /^default-src 'none'; .*frame-ancestors 'none'/)
      assert.strictEqual(headers["set-cookie"], undefined)
    }
  })

  it("bodies must be JSON, declared as JSON, and not too large", async () => {
    const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
      raw("POST", "/api/faults", body, headers).then(({ status }) => status)
    assert.strictEqual(await post("{}", { "Content-Type": "text/plain" }), 415)
    assert.strictEqual(await post("{}", { "Content-Type": "application/x-www-form-urlencoded" }), 415)
    assert.strictEqual(await post("{"), 400)
    assert.strictEqual(await post(Buffer.from([0x22, 0xff, 0x22])), 400)
    assert.strictEqual(await post("[]"), 400)
    assert.strictEqual(await post(Buffer.alloc(1024 * 1024 + 1, " ")), 413)
    assert.strictEqual(await post("{\"__proto__\": {\"kind\": \"reset\"}}"), 400)
    assert.strictEqual(await post("{\"constructor\": 1}"), 400)
  })

  it("a body without a length is cut off at the limit", async () => {
    const socket = connect(Number(portOf(base)), "127.0.0.1")
    socket.write(
      `POST /api/faults HTTP/1.1\r\nHost: ${new URL(base).host}\r\nAuthorization: Bearer ${emulator.pageToken}\r\n` +
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`
    const answer = new Promise<string>((resolve) => {
      socket.once("data", (bytes) => resolve(bytes.toString("latin1")))
      socket.on("error", () => resolve(""))
    })
    for (let n = 0; n < 20; n++) socket.write(chunk)
    assert.match(await answer, /^HTTP\/1\.1 413 /)
    socket.destroy()
  })

  it("markup in topics, keys, payloads and answers of receivers comes back as JSON only", async () => {
    const markup = "<script>alert(1)</script>"
    const { api } = control(emulator)
    const { eventId } = await api<{ readonly eventId: string }>("POST", "/api/events", {
      topic: markup,
      payload: { [markup]: `${markup}\u2028` },
      orderingKey: markup,
      idempotencyKey: markup
    })
    const { body, headers, json } = await raw("GET", `/api/events/${eventId}`)
    assert.strictEqual(headers["content-type"], "application/json")
    assert.notMatch(body, /[<>&\u2028]/)
    assert.strictEqual((json() as { readonly topic: string }).topic, markup)
  })
})
