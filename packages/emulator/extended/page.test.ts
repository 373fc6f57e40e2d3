import { readFile } from "node:fs/promises"
import { createServer, request as ask, type Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo, Socket } from "node:net"
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type EmulatorOptions, type RunningEmulator, startEmulator } from "../src/index.js"
import { postEvent } from "../test/utils/http.js"
import { type Receiver, startReceiver } from "../test/utils/receiver.js"
import { startBrowser } from "./browser.js"

let browser: Browser
let axe: string

beforeAll(async () => {
  browser = await startBrowser()
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
}, 120_000)
afterAll(() => browser?.close())

interface Opened extends AsyncDisposable {
  readonly emulator: RunningEmulator
  readonly context: BrowserContext
  readonly page: Page
  /** What the browser complained about: errors, refused scripts, requests to elsewhere. */
  readonly complaints: Array<string>
}

const watch = (page: Page, base: string, complaints: Array<string>): void => {
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  page.on("dialog", (dialog) => {
    complaints.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !request.url().startsWith("data:")) {
      complaints.push(`request ${request.url()}`)
    }
  })
}

const open = async (options: EmulatorOptions = {}, context: BrowserContextOptions = {}): Promise<Opened> => {
  const emulator = await startEmulator({ page: true, clock: "manual", sweepIntervalMs: 0, ...options })
  const own = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...context })
  const page = await own.newPage()
  const complaints: Array<string> = []
  watch(page, emulator.pageUrl.split("#")[0]!, complaints)
  await page.goto(emulator.pageUrl)
  await page.locator(".connection.live").waitFor()
  return {
    emulator,
    context: own,
    page,
    complaints,
    [Symbol.asyncDispose]: async () => {
      await own.close()
      await emulator.close()
    }
  }
}

const send = async (emulator: RunningEmulator, topic: string, payload: unknown = {}, headers = {}): Promise<string> => {
  const reply = await postEvent(emulator, { topic, payload }, headers)
  return (reply.json() as { readonly event_id: string }).event_id
}

const row = (page: Page, text: string) => page.locator(".row", { hasText: text })

/** Waits until an element has the focus. */
const focused = (page: Page, selector: string): Promise<unknown> =>
  page.waitForFunction((selector) => document.activeElement?.matches(selector) === true, selector)

interface Violation {
  readonly id: string
  readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary: string }>
}

/** Lets axe look at the page. */
const check = async (page: Page, where: string): Promise<void> => {
  await page.evaluate(axe)
  const violations = await page.evaluate(async () => {
    // Toasts fade in; everything else stands still.
    await Promise.all(document.getAnimations().map((one) => one.finished))
    const { axe } = window as unknown as {
      readonly axe: { readonly run: (options: object) => Promise<{ readonly violations: ReadonlyArray<Violation> }> }
    }
    return (await axe.run({ resultTypes: ["violations"] })).violations
  })
  const found = violations.map(({ id, nodes }) => [id, nodes.map(({ failureSummary, html }) => [html, failureSummary])])
  assert.deepStrictEqual(found, [], where)
}

describe("opening", () => {
  it("takes the token out of the URL, keeps it for the tab, and asks nobody else for anything", async () => {
    await using it = await open()
    const { complaints, context, emulator, page } = it
    const base = emulator.pageUrl.split("#")[0]!
    assert.strictEqual(page.url(), base)
    await page.reload()
    await page.locator(".connection.live").waitFor()
    assert.deepStrictEqual(await context.cookies(), [])
    assert.notInclude(await page.content(), emulator.pageToken)
    const other = await context.newPage()
    await other.goto(base)
    await other.getByRole("heading", { name: "This page needs its token" }).waitFor()
    await check(other, "without a token")
    assert.deepStrictEqual(complaints, [])
  })

  it("shows the one command that sends a first event, and it works", async () => {
    await using it = await open()
    const { emulator, page } = it
    const command = await page.locator(".command pre").filter({ hasText: emulator.apiKey }).innerText()
    const [, url, key, body] = /^curl (\S+) -H 'Authorization: Bearer (\S+)' -d '(.*)'$/.exec(command) ?? []
    const answer = await fetch(url!, { method: "POST", headers: { Authorization: `Bearer ${key}` }, body: body! })
    assert.strictEqual(answer.status, 202)
    await row(page, "orders.created").waitFor()
  })

  it("says when the emulator is gone, and goes on with one that takes its place", async () => {
    const token = "a_token_for_this_test"
    await using it = await open({ page: { token } })
    const { emulator, page } = it
    await send(emulator, "before.stop")
    await row(page, "before.stop").waitFor()
    const port = Number(new URL(emulator.pageUrl).port)
    await emulator.close()
    await page.locator(".connection.lost").waitFor()
    await using next = await startEmulator({ page: { token, port } })
    await send(next, "after.start")
    await row(page, "after.start").waitFor()
    assert.strictEqual(await row(page, "before.stop").count(), 0)
  })
})

describe("a break", () => {
  it("does not move what is read, however far down", async () => {
    await using it = await open({ ingestRateLimit: false })
    const { complaints, emulator, page: other } = it
    await other.close()
    for (let n = 0; n < 2_400; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, index) => send(emulator, `t.${n + index}`)))
    }
    // The browser reaches the page through this, which can cut all connections.
    const sockets = new Set<Socket>()
    const proxy = createServer((request, response) => {
      const { headers, method, url = "" } = request
      const onward = ask(url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
        answer.on("error", () => response.destroy())
      })
      onward.on("error", () => response.destroy())
      response.on("close", () => onward.destroy())
      request.pipe(onward)
    }).on("connection", (socket: Socket) => {
      sockets.add(socket.on("close", () => sockets.delete(socket)))
    })
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      proxy: { server: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, bypass: "<-loopback>" }
    })
    try {
      const page = await context.newPage()
      page.on("pageerror", (error) => complaints.push(String(error)))
      await page.goto(emulator.pageUrl)
      await page.waitForFunction(() => document.querySelector<HTMLElement>(".rows")?.style.height === `${2_400 * 54}px`)
      await page.evaluate(() => document.querySelector("#events")!.scrollTo(0, 2_000 * 54))
      await row(page, "t.395").waitFor()
      await page.evaluate(() => {
        const list = document.querySelector("#events")!
        const tops: Array<number> = []
        Object.assign(window, { tops })
        list.addEventListener("scroll", () => tops.push(list.scrollTop))
      })
      // In the time of the break comes one more, which moves what is read down by a line, in the list and in sight.
      for (const socket of sockets) socket.destroy()
      await page.locator(".connection.lost").waitFor()
      await send(emulator, "meanwhile")
      await page.locator(".connection.live").waitFor()
      await page.waitForFunction(() => document.querySelector<HTMLElement>(".rows")!.style.height === `${2_401 * 54}px`)
      await page.waitForFunction(() => document.querySelector("#events")!.scrollTop === 2_001 * 54)
      const tops = await page.evaluate(() => (window as unknown as { tops: ReadonlyArray<number> }).tops)
      assert.isAtLeast(Math.min(...tops, 2_001 * 54), 2_000 * 54)
      assert.deepStrictEqual(complaints, [])
    } finally {
      await context.close()
      proxy.close()
      proxy.closeAllConnections()
    }
  })
})

describe("watching", () => {
  it("shows events as they come, how they fare, and when the next attempt is", async () => {
    await using receiver = await startReceiver(503)
    await using it = await open({
      backoff: { baseMs: 60_000, capMs: 60_000 },
      subscriptions: [{ topic: "*", url: receiver.url }]
    })
    const { complaints, emulator, page } = it
    await send(emulator, "orders.created", { b: 1, a: "é" })
    const line = row(page, "orders.created")
    await line.getByText(/Attempt 1 of 8 failed · HTTP 503 · next \d/).waitFor()
    receiver.reply(200)
    await page.getByRole("button", { name: /^Next attempt, \+/ }).click()
    await line.getByText("Delivered · HTTP 200").waitFor()
    await line.click()
    const details = page.locator("#details")
    await details.getByText("Attempt 2", { exact: true }).waitFor()
    assert.strictEqual(
      await details.getByRole("region", { name: "Sent by the producer" }).innerText(),
      "{\"topic\":\"orders.created\",\"payload\":{\"b\":1,\"a\":\"é\"}}"
    )
    assert.strictEqual(
      await details.getByRole("region", { name: "Delivered to receivers" }).innerText(),
      receiver.received[1]!.body
    )
    await details.locator("summary", { hasText: "Attempt 2" }).click()
    await details.getByText(String(receiver.received[1]!.headers["hookrail-signature"]), { exact: true }).first()
      .waitFor()
    await details.getByText("Signature genuine").first().waitFor()
    assert.deepStrictEqual(complaints, [])
  })

  it("counts down in real time", async () => {
    await using receiver = await startReceiver(503)
    await using it = await open({
      clock: "real",
      seed: 1,
      backoff: { baseMs: 3_600_000, capMs: 3_600_000 },
      subscriptions: [{ topic: "*", url: receiver.url }]
    })
    const { emulator, page } = it
    await send(emulator, "orders.created")
    const countdown = row(page, "orders.created").locator(".countdown")
    await countdown.waitFor()
    const before = await countdown.innerText()
    await page.waitForFunction((before) => document.querySelector(".countdown")?.textContent !== before, before)
  })

  it("filters and searches", async () => {
    await using receiver = await startReceiver(400)
    await using it = await open({ subscriptions: [{ topic: "orders.*", url: receiver.url }] })
    const { emulator, page } = it
    for (let n = 0; n < 5; n++) await send(emulator, n === 3 ? "users.created" : "orders.created", { n: `n${n}` })
    await page.getByRole("button", { name: /^Dead ?4/ }).click()
    await page.getByText("4 events", { exact: true }).waitFor()
    await page.getByRole("button", { name: /^All/ }).click()
    await page.getByRole("searchbox", { name: "Search events" }).fill("topic:users.*")
    await page.getByText("1 event", { exact: true }).waitFor()
    await page.getByRole("searchbox").fill("n2")
    await page.getByText("1 event", { exact: true }).waitFor()
    // What comes in while searching is searched as well.
    await send(emulator, "orders.created", { n: "n2" })
    await send(emulator, "orders.created", { n: "n9" })
    await page.getByText("2 events", { exact: true }).waitFor()
    await page.getByRole("searchbox").fill("nothing like that")
    await page.getByText("Nothing matches.").waitFor()
  })
})

describe("acting", () => {
  let receiver: Receiver
  beforeAll(async () => {
    receiver = await startReceiver()
  })
  afterAll(() => receiver[Symbol.asyncDispose]())

  it("sends, edits and resends, and shows what came of it", async () => {
    receiver.reply(200)
    await using it = await open({ subscriptions: [{ topic: "*", url: receiver.url }] })
    const { complaints, emulator, page } = it
    await page.getByRole("button", { name: "Send", exact: true }).click()
    await page.getByLabel("Topic").fill("orders.paid")
    await page.getByLabel("Payload").fill("{\"total\":")
    await page.getByText(/JSON/).first().waitFor()
    await page.getByRole("dialog").getByRole("button", { name: "Send" }).click()
    await page.getByRole("alert").getByText(/The server answered 400/).waitFor()
    await page.getByLabel("Payload").fill("{\"total\":1}")
    await page.getByLabel("Payload").press("Control+Enter")
    await page.getByRole("heading", { name: "orders.paid" }).waitFor()
    await page.getByRole("button", { name: "Edit and resend" }).click()
    await page.getByLabel("Payload").fill("{\"total\":2}")
    await page.getByRole("dialog").getByRole("button", { name: "Send" }).click()
    await page.getByRole("region", { name: "Delivered to receivers" }).getByText("{\"total\": 2}").waitFor()
    await page.getByRole("button", { name: "Resend", exact: true }).click()
    await page.locator(".row").nth(2).waitFor()
    assert.deepStrictEqual(emulator.ledger().events.map(({ payload }) => payload), [
      "{\"total\": 1}",
      "{\"total\": 2}",
      "{\"total\": 2}"
    ])
    assert.deepStrictEqual(complaints, [])
  })

  it("fails the next one, replays, rotates, and explains the signature", async () => {
    receiver.reply(200)
    await using it = await open({ subscriptions: [{ topic: "*", url: receiver.url }] })
    const { emulator, page } = it
    await page.getByRole("button", { name: "Fail next" }).click()
    await page.getByLabel("What happens").selectOption({ label: "Deliveries: HTTP 400, dead at once" })
    await page.getByRole("button", { name: "Set" }).click()
    await page.locator(".notice").getByText(/delivery: status 400/).waitFor()
    await send(emulator, "orders.created")
    await row(page, "Dead · HTTP 400").click()
    await page.getByText("fault: status").waitFor()
    await page.getByRole("button", { name: "Replay" }).click()
    await row(page, "Delivered · HTTP 200").waitFor()
    await page.locator("#details .tag.good").waitFor()
    await page.getByRole("button", { name: "Rotate secret" }).click()
    await page.locator("#details").getByText("secret-other").waitFor()
    await page.locator("summary", { hasText: "HTTP 200" }).click()
    await page.getByText("Signed with an earlier secret").waitFor()
    await page.getByRole("button", { name: "Compare with what arrived" }).click()
    await page.getByLabel("Body").fill("{ }")
    await page.getByRole("button", { name: "Verify" }).click()
    await page.getByText("The body differs from the one delivered, from byte 1 on.").waitFor()
  })

  it("pauses and resumes, adds a receiver, shows its secret, and skips", async () => {
    receiver.reply(400)
    await using it = await open()
    const { emulator, page } = it
    await page.getByRole("button", { name: "Add a receiver" }).click()
    await page.getByLabel("URL").fill(receiver.url)
    await page.getByRole("button", { name: "Subscribe", exact: true }).click()
    await page.locator(".receivers").getByText(receiver.url).waitFor()
    await page.getByRole("button", { name: "Show" }).click()
    await page.locator(".secret code").getByText(/^whsec_[0-9a-f]{48}$/).waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("button", { name: "Pause" }).click()
    await page.getByText("Deliveries are paused").first().waitFor()
    await send(emulator, "orders.created")
    await row(page, "Held: deliveries are paused").waitFor()
    await page.getByRole("button", { name: "Resume" }).click()
    await row(page, "Dead · HTTP 400").waitFor()
    emulator.subscribe({ topic: "users.*", url: `${receiver.url}/2`, ordered: true })
    await send(emulator, "users.created", {}, { "X-Hookrail-Ordering-Key": "k" })
    await row(page, "users.created").click()
    await page.getByRole("button", { name: "Skip" }).click()
    await page.locator("#details").getByText("Skipped").first().waitFor()
  })
})

describe("by keyboard", () => {
  it("moves, reads, goes back, searches and helps, and the focus is always somewhere", async () => {
    await using it = await open()
    const { emulator, page } = it
    for (let n = 0; n < 100; n++) await send(emulator, `topic.n${n}`)
    await row(page, "topic.n99").waitFor()
    await page.keyboard.press("j")
    await page.getByRole("heading", { name: "topic.n99" }).waitFor()
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.getByRole("heading", { name: "topic.n98" }).waitFor()
    await page.keyboard.press("G")
    await page.getByRole("heading", { name: "topic.n0", exact: true }).waitFor()
    await row(page, "topic.n0").waitFor()
    await page.keyboard.press("g")
    await page.keyboard.press("Enter")
    await focused(page, "#details")
    await page.keyboard.press("Escape")
    await focused(page, "#events")
    await page.keyboard.press("ArrowDown")
    await page.getByRole("heading", { name: "topic.n98" }).waitFor()
    const active = await page.locator("#events").getAttribute("aria-activedescendant")
    assert.strictEqual(await page.locator(`#${active}`).getAttribute("aria-selected"), "true")
    await page.keyboard.press("/")
    await focused(page, "input[type=search]")
    await page.keyboard.type("topic.n4")
    await page.getByText("11 events", { exact: true }).waitFor()
    // Letters are text here.
    assert.strictEqual(await page.getByRole("dialog").count(), 0)
    await page.keyboard.press("Escape")
    await page.getByText("100 events", { exact: true }).waitFor()
    await page.keyboard.press("Escape")
    await focused(page, "#events")
    await page.keyboard.press("?")
    await page.getByRole("dialog", { name: "Keys" }).waitFor()
    await page.getByLabel("Single keys are shortcuts").uncheck()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await focused(page, "#events")
    await page.keyboard.press("n")
    await page.keyboard.press("?")
    await page.getByRole("dialog", { name: "Keys" }).waitFor()
    await page.getByLabel("Single keys are shortcuts").check()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await page.keyboard.press("n")
    await page.getByRole("dialog", { name: "Send an event" }).waitFor()
    await focused(page, "input[name=topic]")
  })

  it("keeps the focus and what is read while events come in", async () => {
    await using it = await open()
    const { emulator, page } = it
    for (let n = 0; n < 60; n++) await send(emulator, `topic.n${n}`)
    await row(page, "topic.n59").waitFor()
    await page.locator("#events").focus()
    for (let n = 0; n < 30; n++) await page.keyboard.press("ArrowDown")
    await page.getByRole("heading", { name: "topic.n30" }).waitFor()
    const before = (await row(page, "topic.n30").boundingBox())!.y
    for (let n = 0; n < 20; n++) await send(emulator, "more.events")
    await page.getByText("80 events", { exact: true }).waitFor()
    await focused(page, "#events")
    assert.strictEqual((await row(page, "topic.n30").boundingBox())!.y, before)
    await page.locator("[role=status]").getByText(/^\d+ new events?$/).first().waitFor({ state: "attached" })
  })
})

describe("accessibility", () => {
  it.each(
    [
      ["light", 1280],
      ["dark", 1280],
      ["light", 420]
    ] as const
  )("axe finds nothing, %s at %i pixels", async (colorScheme, width) => {
    await using receiver = await startReceiver(503)
    receiver.reply((index) => [200, 503, 400][index % 3]!)
    await using it = await open({}, { colorScheme, viewport: { width, height: 800 } })
    const { emulator, page } = it
    await check(page, "empty")
    emulator.subscribe({ topic: "orders.*", url: receiver.url })
    for (let n = 0; n < 12; n++) await send(emulator, n % 4 === 3 ? "users.created" : "orders.created", { n })
    await row(page, "Dead").first().waitFor()
    emulator.fault({ on: "delivery", kind: "status", status: 500, times: 3 })
    emulator.pause()
    await page.locator(".notice").nth(1).waitFor()
    await check(page, "list")
    await row(page, "Dead").first().click()
    await page.locator(".delivery").waitFor()
    await check(page, "dead")
    if (width < 860) {
      await page.getByRole("button", { name: "Back to the list" }).click()
      await page.locator("#events").waitFor()
    }
    await row(page, "failed").first().click()
    await page.locator(".point.next").waitFor()
    await check(page, "retrying")
    for (const key of ["n", "e", "f", "v", "?"]) {
      await page.keyboard.press(key)
      await page.getByRole("dialog").waitFor()
      await check(page, `dialog ${key}`)
      await page.keyboard.press("Escape")
      await page.getByRole("dialog").waitFor({ state: "detached" })
    }
    if (width < 860) await page.getByRole("button", { name: "Back to the list" }).click()
    await row(page, "Delivered").first().click()
    await page.locator(".tag.good").waitFor()
    await page.locator("summary").first().click()
    await page.getByRole("button", { name: "Compare with what arrived" }).click()
    await page.getByLabel("Body").fill("{\"n\":1}")
    await page.getByRole("button", { name: "Verify" }).click()
    await page.getByText("body-parsed").waitFor()
    await check(page, "compare")
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await check(page, "delivered")
    if (process.env["HOOKRAIL_SHOTS"] !== undefined) {
      await page.screenshot({ path: `${process.env["HOOKRAIL_SHOTS"]}/page-${colorScheme}-${width}.png` })
    }
  })

  it("follows the system's theme, unless told otherwise", async () => {
    await using it = await open({}, { colorScheme: "dark" })
    const { page } = it
    const back = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const dark = await back()
    await page.emulateMedia({ colorScheme: "light" })
    const light = await back()
    assert.notStrictEqual(dark, light)
    await page.keyboard.press("t")
    await page.keyboard.press("t")
    // The page is painted after its button has the new name.
    const isDark = () => page.waitForFunction((dark) => getComputedStyle(document.body).backgroundColor === dark, dark)
    await page.getByRole("button", { name: "Theme: dark" }).waitFor()
    await isDark()
    await page.reload()
    await page.getByRole("button", { name: "Theme: dark" }).waitFor()
    await isDark()
  })
})

describe("attacks", () => {
  it("markup stays text, wherever it comes from", async () => {
    const markup = [
      "<img src=x onerror=alert(1)>",
      "<script>alert(2)</script>",
      "</script><script>alert(3)</script>",
      "\"><svg onload=alert(4)>",
      "javascript:alert(5)",
      "{{constructor.constructor('alert(6)')()}}",
      "\u202edlrow"
    ].join(" ")
    const server = createServer((request, response) => {
      request.resume()
      response.writeHead(503, { "X-Markup": markup.replace(/[^\x20-\x7e]/g, ""), "Content-Type": "text/html" })
      response.end(markup)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?${encodeURI(markup)}`
    await using it = await open()
    const { complaints, emulator, page } = it
    const { endpointId } = emulator.subscribe({ topic: "*", url })
    void endpointId
    const endpoint = emulator.addEndpoint({ url: `${url}&2`, description: markup })
    emulator.subscribe({ topic: "*", endpointId: endpoint.id })
    const utf8 = Buffer.from(markup, "utf8").toString("latin1")
    await send(emulator, markup, { [markup]: markup }, {
      "Idempotency-Key": utf8,
      "X-Hookrail-Ordering-Key": utf8,
      "X-Other": utf8
    })
    await row(page, "onerror").click()
    await page.locator(".delivery").nth(1).waitFor()
    for (const summary of await page.locator(".attempt summary").all()) await summary.click()
    assert.include(await page.locator("#event-topic").innerText(), "<img src=x onerror=alert(1)>")
    assert.include(await page.locator("#event-topic").innerText(), "U+202E")
    await page.keyboard.press("v")
    await page.getByRole("dialog").waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await page.keyboard.press("e")
    await page.getByRole("dialog").waitFor()
    assert.strictEqual(await page.getByLabel("Topic").inputValue(), markup)
    assert.strictEqual(await page.locator("img, iframe, script:not(body > script)").count(), 0)
    assert.deepStrictEqual(complaints, [])
    server.close()
    server.closeAllConnections()
  })

  it("the policy stops what gets in all the same", async () => {
    await using it = await open()
    const { page } = it
    const ran = await page.evaluate(async () => {
      // Outside of the driver's own call, which may do what the page may not.
      await new Promise((resolve) => setTimeout(resolve))
      const results: Array<string> = []
      const element = document.createElement("div")
      document.body.append(element)
      try {
        element.innerHTML = "<img src=x onerror=\"window.hit = 1\">"
        results.push("markup was parsed")
      } catch {
        // Trusted types.
      }
      const script = document.createElement("script")
      try {
        script.text = "window.hit = 1"
        document.body.append(script)
      } catch {
        // Trusted types.
      }
      await fetch("http://127.0.0.1:1/", { mode: "no-cors" }).then(() => results.push("fetched"), () => {})
      try {
        // What a compiled template or a parser of JSON in disguise would do.
        ;(0, eval)("window.hit = 1")
      } catch {
        // The policy.
      }
      if ("hit" in window) results.push("ran")
      return results
    })
    assert.deepStrictEqual(ran, [])
  })

  it("another site in the same browser can neither act, nor read, nor frame", async () => {
    await using it = await open()
    const { context, emulator } = it
    const base = emulator.pageUrl.split("/#")[0]!
    const evil: Server = createServer((_, response) =>
      response.writeHead(200, { "Content-Type": "text/html" }).end("<p>evil</p>")
    )
    await new Promise<void>((resolve) => evil.listen(0, "127.0.0.1", resolve))
    const { port } = evil.address() as AddressInfo
    // Another port of the same name is "same-site"; another name is "cross-site".
    for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
      const attacker = await context.newPage()
      await attacker.goto(origin)
      const results = await attacker.evaluate(async ({ base, token }) => {
        const attempt = (path: string, init: RequestInit): Promise<string> =>
          fetch(base + path, init).then(
            async (answer) => `${answer.type} ${(await answer.text()).length}`,
            () => "refused"
          )
        const framed = new Promise<string>((resolve) => {
          const frame = document.createElement("iframe")
          frame.onload = () => {
            try {
              resolve(frame.contentDocument === null ? "foreign" : "own")
            } catch {
              resolve("foreign")
            }
          }
          frame.src = `${base}/#token=${token}`
          document.body.append(frame)
        })
        return [
          await attempt("/api/state", {}),
          await attempt("/api/state", { headers: { Authorization: `Bearer ${token}` } }),
          await attempt("/api/events", { method: "POST", mode: "no-cors", body: "{\"topic\":\"t\",\"payload\":1}" }),
          await attempt("/api/pause", { method: "POST", mode: "no-cors" }),
          await attempt("/", {}),
          await attempt("/", { mode: "no-cors" }),
          await framed
        ]
      }, { base, token: emulator.pageToken })
      // An opaque answer has no text; a refused frame shows the browser's own error page.
      for (const result of results) {
        assert.include(["refused", "opaque 0", "foreign"], result, `${origin}: ${results.join(", ")}`)
      }
      for (const frame of attacker.frames().slice(1)) assert.notInclude(await frame.content(), "id=\"app\"")
      await attacker.close()
    }
    assert.lengthOf(emulator.ledger().events, 0)
    evil.close()
    evil.closeAllConnections()
  })
})

describe("ten thousand events", () => {
  it("stay smooth", async () => {
    await using receiver = await startReceiver()
    receiver.reply((index) => index % 5 === 0 ? 503 : 200)
    await using it = await open({
      ingestRateLimit: false,
      deliveryRateLimit: false,
      subscriptions: [{ topic: "orders.*", url: receiver.url }]
    })
    const { complaints, context, emulator, page } = it
    const fill = async (count: number, topic: string): Promise<void> => {
      for (let n = 0; n < count; n += 50) {
        await Promise.all(
          Array.from(
            { length: 50 },
            (_, index) => send(emulator, topic, { tag: `n${n + index}`, text: "x".repeat(200) })
          )
        )
      }
    }
    await page.close()
    await fill(9500, "orders.created")
    const fresh = await context.newPage()
    watch(fresh, emulator.pageUrl.split("#")[0]!, complaints)
    const began = performance.now()
    await fresh.goto(emulator.pageUrl)
    await row(fresh, "orders.created").first().waitFor()
    const first = performance.now() - began
    await fresh.waitForFunction(() => document.querySelector<HTMLElement>(".rows")!.style.height === `${9500 * 54}px`)
    const loaded = performance.now() - began

    interface Measured {
      readonly frames: number
      readonly median: number
      readonly p95: number
      readonly longest: number
      readonly longTasks: number
      readonly longTaskMs: number
      readonly rows: number
    }
    /** Frames and long tasks while something happens. */
    const measure = async (during: () => Promise<unknown>): Promise<Measured> => {
      await fresh.evaluate(() => {
        const it = { stop: false, frames: [] as Array<number>, tasks: [] as Array<number> }
        ;(window as unknown as { measured: typeof it }).measured = it
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) it.tasks.push(entry.duration)
        }).observe({ type: "longtask" })
        let last = performance.now()
        const frame = (now: number): void => {
          it.frames.push(now - last)
          last = now
          if (!it.stop) requestAnimationFrame(frame)
        }
        requestAnimationFrame(frame)
      })
      await during()
      return fresh.evaluate(() => {
        const { measured } = window as unknown as {
          measured: { stop: boolean; frames: Array<number>; tasks: Array<number> }
        }
        measured.stop = true
        const frames = measured.frames.slice(1).sort((a, b) => a - b)
        const at = (share: number): number => Math.round((frames[Math.floor(frames.length * share)] ?? 0) * 10) / 10
        return {
          frames: frames.length,
          median: at(0.5),
          p95: at(0.95),
          longest: Math.round(frames[frames.length - 1] ?? 0),
          longTasks: measured.tasks.length,
          longTaskMs: Math.round(measured.tasks.reduce((sum, one) => sum + one, 0)),
          rows: document.querySelectorAll(".row").length
        }
      })
    }
    const scrolling = await measure(() =>
      fresh.evaluate(() =>
        new Promise<void>((resolve) => {
          const list = document.querySelector("#events")!
          let step = 0
          const frame = (): void => {
            // Slowly, fast, and by leaps.
            list.scrollTop += step < 60 ? 60 : step < 120 ? 900 : 8000
            if (++step < 180) requestAnimationFrame(frame)
            else resolve()
          }
          requestAnimationFrame(frame)
        })
      )
    )
    const arriving = await measure(async () => {
      await fill(500, "orders.more")
      await fresh.waitForFunction(() =>
        document.querySelector<HTMLElement>(".rows")!.style.height === `${10_000 * 54}px`
      )
    })
    const moving = await measure(async () => {
      await fresh.locator("#events").focus()
      for (let n = 0; n < 60; n++) await fresh.keyboard.press("j")
      await fresh.keyboard.press("G")
      await fresh.keyboard.press("g")
    })
    const searching = performance.now()
    await fresh.getByRole("searchbox").fill("orders n4999")
    await fresh.getByText("1 event", { exact: true }).waitFor()
    const searched = performance.now() - searching
    const heap = await fresh.evaluate(() =>
      (performance as unknown as { readonly memory: { readonly usedJSHeapSize: number } }).memory.usedJSHeapSize /
      1024 / 1024
    )
    const figures = {
      firstRowMs: Math.round(first),
      allLoadedMs: Math.round(loaded),
      scrolling,
      arriving,
      moving,
      searchMs: Math.round(searched),
      heapMiB: Math.round(heap)
    }
    process.stdout.write(`ten thousand events: ${JSON.stringify(figures)}\n`)
    // Loose: what would make it unusable, not what a busy machine does.
    assert.isBelow(loaded, 20_000)
    for (const { median, rows } of [scrolling, arriving, moving]) {
      assert.isBelow(median, 100)
      assert.isBelow(rows, 60)
    }
    assert.isBelow(searched, 10_000)
    assert.isBelow(heap, 300)
    assert.deepStrictEqual(complaints, [])
  }, 180_000)
})

describe("the start", () => {
  it("takes no longer with the page than without", async () => {
    const time = async (page: boolean): Promise<number> => {
      const began = performance.now()
      const emulator = await startEmulator({ page })
      const took = performance.now() - began
      await emulator.close()
      return took
    }
    const times = { with: [] as Array<number>, without: [] as Array<number> }
    for (let round = 0; round < 40; round++) {
      times.with.push(await time(true))
      times.without.push(await time(false))
    }
    const median = (list: Array<number>): number => list.sort((a, b) => a - b)[list.length >> 1]!
    const figures = [median(times.with), median(times.without)]
    process.stdout.write(
      `start of an emulator: ${figures.map((ms) => ms.toFixed(2)).join(" ms with the page, ")} ms without\n`
    )
    assert.isBelow(figures[0]! - figures[1]!, 20)
  })
})
