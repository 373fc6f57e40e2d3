import { startEmulator } from "@hookrail/emulator"
import { createWebhookHandler } from "@hookrail/promise/webhooks"
import { readFile } from "node:fs/promises"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Home, lines, serve, variablesOf } from "./utils/command.js"

const secret = `whsec_${"0a".repeat(24)}`
const env = { HOOKRAIL_WEBHOOK_SECRET: secret }

let home: Home

beforeAll(async () => {
  home = await Home.make()
})

afterAll(() => home[Symbol.asyncDispose]())

describe.concurrent("sign and verify", () => {
  it("agree, over text and JSON, with any of several secrets", async () => {
    const signed = await home.run(["sign", "orders.created", "{\"b\":1.0, \"aa\":2}", "--set", "c=é"], { env })
    assert.match(
      signed.stdout,
      /^POST \/webhooks HTTP\/1.1\r\nhost: localhost\r\n(.*\r\n)+\r\n\{"b": 1, "c": "é", "aa": 2\}\n$/
    )
    const [plain, several, json] = await Promise.all([
      home.run(["verify"], { env, input: signed.stdout }),
      home.run(["verify", "-", "--format", "json"], {
        env: { HOOKRAIL_WEBHOOK_SECRET: `whsec_${"1".repeat(48)},${secret}` },
        input: signed.stdout
      }),
      home.run(["sign", "orders.created", "--delivery-id", "d_1", "--format", "json"], { env })
    ])
    assert.match(
      plain.stdout,
      /^valid {2}signed at .*\n {2}delivery {2}\w{26}\n {2}event {5}\w{26}\n {2}topic {5}orders.created\n$/
    )
    assert.deepInclude(lines(several.stdout)[0], { valid: true, secret: 2, topic: "orders.created" })
    const again = await home.run(["verify", "--format", "json"], { env, input: json.stdout })
    assert.deepInclude(lines(again.stdout)[0], { valid: true, deliveryId: "d_1" })
  })

  it("find out why a webhook does not match", async () => {
    const signed = await home.run(["sign", "t", "{\"a\":1}", "--format", "json"], { env })
    const { body, headers } = lines(signed.stdout)[0]
    const head = ["hookrail-signature", "hookrail-delivery-id"].flatMap((
      name
    ) => ["--header", `${name}: ${headers[name]}`])
    const [parsed, prefix, other, malformed, old] = await Promise.all([
      home.run(["verify", ...head, "--format", "json"], { env, input: JSON.stringify(JSON.parse(body)) }),
      home.run(["verify", ...head], { env: { HOOKRAIL_WEBHOOK_SECRET: secret.slice(6) }, input: body }),
      home.run(["verify", ...head, "--format", "json"], {
        env: { HOOKRAIL_WEBHOOK_SECRET: `whsec_${"2".repeat(48)}` },
        input: body
      }),
      home.run(["verify", "--header", "a: b"], { env, input: body }),
      home.run(["verify", "--tolerance", "5m", "--format", "json"], {
        env,
        input: JSON.stringify({
          headers: { ...headers, "Hookrail-Signature": `t=1700000000,v1=${"0".repeat(64)}` },
          body
        })
          .replace("\"hookrail-signature\"", "\"x\"")
      })
    ])
    assert.deepInclude(lines(parsed.stdout)[0], { valid: false, tag: "SignatureError", mistake: "body-parsed" })
    assert.strictEqual(parsed.code, 1)
    assert.match(prefix.stderr, /^hookrail: not valid: the secret has lost its "whsec_"[^\n]*\n$/)
    assert.deepInclude(lines(other.stdout)[0], { mistake: "secret-other" })
    assert.deepStrictEqual([malformed.code, malformed.stdout], [1, ""])
    assert.match(malformed.stderr, /^hookrail: not a signed Hookrail webhook: [^\n]+\n$/)
    assert.deepInclude(lines(old.stdout)[0], { tag: "SignatureTimestampError" })
  })

  it("refuse what is no captured request, and need a secret", async () => {
    const [nonsense, none] = await Promise.all([
      home.run(["verify"], { env, input: "hello" }),
      home.run(["verify"], { input: "hello" })
    ])
    assert.deepStrictEqual([nonsense.code, none.code], [2, 3])
    assert.match(nonsense.stderr, /^hookrail: this is no captured request: [^\n]+\n$/)
    assert.match(none.stderr, /^hookrail: there is no secret: set HOOKRAIL_WEBHOOK_SECRET[^\n]+\n$/)
  })

  it("send to a receiver, and tell its answer", async () => {
    const handler = createWebhookHandler({ secrets: secret, on: { t: () => {} }, log: false })
    await using receiver = await serve((request, response) => handler.node(request, response))
    const [good, unknown, away] = await Promise.all([
      home.run(["sign", "t", "1", "--to", receiver.url, "--format", "json"], { env }),
      home.run(["sign", "u", "1", "--to", receiver.url], { env }),
      home.run(["sign", "t", "1", "--to", "http://127.0.0.1:1/"], { env })
    ])
    assert.deepStrictEqual([good.code, lines(good.stdout)[0].status], [0, 204])
    assert.strictEqual(unknown.stderr, "hookrail: the receiver answered 422: see what it logs\n")
    assert.deepStrictEqual([unknown.code, away.code], [1, 6])
  })
})

describe.concurrent("doctor", () => {
  const findings = (stdout: string) => Object.fromEntries(lines(stdout).map(({ check, status }) => [check, status]))

  it("finds nothing where all is well", async () => {
    await using emulator = await startEmulator()
    const handler = createWebhookHandler({ secrets: secret, on: {}, log: false })
    await using receiver = await serve((request, response) => handler.node(request, response))
    const ended = await home.run(["doctor", receiver.url, "--format", "json"], {
      env: { ...variablesOf(emulator), ...env }
    })
    assert.strictEqual(ended.code, 0, ended.stdout + ended.stderr)
    assert.deepStrictEqual(findings(ended.stdout), {
      server: "ok",
      ready: "ok",
      clock: "ok",
      proxy: "ok",
      key: "ok",
      generation: "ok",
      admin: "ok",
      policy: "ok",
      forgery: "ok",
      signature: "ok",
      time: "ok"
    })
    // What can be told without sending an event, and what cannot.
    assert.match(
      ended.stdout,
      /"the server is of generation R2 or newer; if keys are limited to topics, which is R3, only/
    )
    assert.deepStrictEqual(emulator.ledger().events, [])
  })

  it("finds a wrong key, a wrong token, a database and a Redis that are away, and an old server", async () => {
    await using emulator = await startEmulator({ legacy: { statusErrorsAre404: true } })
    emulator.setRedis("down")
    const variables = { ...variablesOf(emulator), HOOKRAIL_ADMIN_TOKEN: "hkadm_x" }
    const old = await home.run(["doctor", "--format", "json"], { env: variables })
    assert.deepInclude(findings(old.stdout), { ready: "warning", key: "ok", admin: "failed" })
    const wrong = await home.run(["doctor"], { env: { ...variables, HOOKRAIL_API_KEY: emulator.adminToken } })
    assert.match(
      wrong.stdout,
      /fail {2}key {11}the server does not know the key \(from the environment\)\n {20}it is an admin token/
    )
    assert.strictEqual(wrong.code, 1)
    assert.strictEqual(wrong.stderr, "hookrail: something is wrong: key, admin\n")
    emulator.setDatabase("down")
    const down = await home.run(["doctor", "--format", "json"], { env: variables })
    assert.deepInclude(findings(down.stdout), { ready: "failed", key: "skipped" })
    for (const ended of [old, wrong, down]) assert.notInclude(ended.stdout + ended.stderr, emulator.apiKey)
  })

  it("finds a server that is away, a redirect, and something else than Hookrail", async () => {
    await using redirect = await serve((_, response) =>
      response.writeHead(301, { location: "https://elsewhere.example/healthz" }).end()
    )
    await using page = await serve((_, response) => response.writeHead(200, { server: "nginx" }).end("<html>"))
    const run = (url: string) => home.run(["doctor"], { env: { HOOKRAIL_BASE_URL: url, HOOKRAIL_API_KEY: "hk_x" } })
    const [away, redirected, other, tls] = await Promise.all([
      run("http://127.0.0.1:1"),
      run(redirect.url),
      run(page.url),
      run(page.url.replace("http:", "https:"))
    ])
    assert.match(away.stdout, /fail {2}server .*ECONNREFUSED.*\n +nothing listens there/)
    assert.match(redirected.stdout, /fail {2}server .* redirects to https:\/\/elsewhere.example/)
    assert.match(other.stdout, /warn {2}proxy .* an unknown path is answered with 200/)
    assert.match(tls.stdout, /fail {2}server .*\n +it does not speak TLS there/)
    for (const { code } of [away, redirected, other, tls]) assert.strictEqual(code, 1)
  })

  it("finds a clock that is wrong, and a certificate that nobody knows", async () => {
    await using late = await serve((request, response) => {
      response.setHeader("date", new Date(Date.now() - 3_600_000).toUTCString())
      response.writeHead(request.url === "/no" ? 404 : 200).end()
    })
    const tls = new URL("../../node/test/tls/", import.meta.url)
    const [key, cert] = await Promise.all(["server-key.pem", "server.pem"].map((file) => readFile(new URL(file, tls))))
    const server = createServer({ key, cert }, (_, response) => response.end())
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const secure = `https://localhost:${(server.address() as AddressInfo).port}`
    const run = (url: string, env = {}) =>
      home.run(["doctor"], { env: { HOOKRAIL_BASE_URL: url, HOOKRAIL_API_KEY: "hk_x", ...env } })
    const [clock, unknown, known] = await Promise.all([
      run(late.url),
      run(secure, { HTTPS_PROXY: "http://127.0.0.1:1" }),
      run(secure, { NODE_EXTRA_CA_CERTS: fileURLToPath(new URL("ca.pem", tls)) })
    ])
    server.close()
    server.closeAllConnections()
    assert.match(clock.stdout, /fail {2}clock {9}this machine is 36\d\d s ahead of the server\n/)
    assert.match(
      unknown.stdout,
      /fail {2}server .*\n +its certificate authority is not known here: .*; HTTPS_PROXY is set/
    )
    assert.match(known.stdout, /ok {4}server TLS {4}TLSv1.3, certificate valid for \d+ days\n/)
  })

  it("finds a receiver that accepts everything, one that redirects, and one with another secret", async () => {
    await using emulator = await startEmulator()
    await using open = await serve((request, response) => {
      request.resume().once("end", () => response.end())
    })
    const handler = createWebhookHandler({ secrets: `whsec_${"3".repeat(48)}`, on: {}, log: false })
    await using other = await serve((request, response) => handler.node(request, response))
    await using redirect = await serve((request, response) => {
      request.resume()
      response.writeHead(308, { location: "/" }).end()
    })
    const variables = { ...variablesOf(emulator), ...env }
    const [accepts, refuses, redirects, nobody] = await Promise.all(
      [open.url, other.url, redirect.url, "http://127.0.0.1:1/"].map((url) =>
        home.run(["doctor", url, "--format", "json"], { env: variables })
      )
    )
    assert.deepInclude(findings(accepts!.stdout), { forgery: "failed", signature: "ok" })
    assert.deepInclude(findings(refuses!.stdout), { forgery: "ok", signature: "failed" })
    assert.deepInclude(findings(redirects!.stdout), { receiver: "failed" })
    assert.deepInclude(findings(nobody!.stdout), { receiver: "failed" })
    for (const ended of [accepts, refuses, redirects, nobody]) assert.strictEqual(ended!.code, 1)
  })
})
