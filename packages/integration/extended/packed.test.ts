import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { build, type Metafile } from "esbuild"
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { bundle } from "../../promise/bundle.js"
import { built, exec, type Folder, folders, pack, packages, root } from "../test/packing.js"

/** Links a dependency from where a package of the workspace has it. */
const link = async (from: string, name: string, modules: string) => {
  const target = join(modules, name)
  await mkdir(dirname(target), { recursive: true })
  await symlink(await realpath(join(root, from, "node_modules", name)), target)
}

const effectBody = `
  const program = HookrailClient.HookrailClient.sendEvent("orders", { n: 1 }).pipe(
    Effect.provide(NodeHookrail.layer({ apiKey: Redacted.make(String(process.env.KEY)), baseUrl: String(process.env.URL), onUnmatched: "ignore" }))
  )
  void Effect.runPromise(program).then((accepted) => {
    if (accepted.eventId.length !== 26) throw new Error("no event id")
    console.log("ok")
  })
`

const promiseBody = `
  const main = async () => {
    const client = new Hookrail({ apiKey: String(process.env.KEY), baseUrl: String(process.env.URL), onUnmatched: "ignore" })
    const accepted = await client.sendEvent("orders", { n: 1 })
    if (accepted.eventId.length !== 26) throw new Error("no event id")
    await client.close()
    const admin = new HookrailAdmin({ adminToken: String(process.env.TOKEN), baseUrl: String(process.env.ADMIN_URL) })
    if ((await admin.whoami()).role !== "admin") throw new Error("not an admin")
    const missing = await admin.endpoints.get("none").then(() => "found", (error) => error)
    if (!(missing instanceof NotFoundError)) throw missing
    await admin.close()
    const body = "{}"
    const t = Math.floor(Date.now() / 1000)
    const mac = createHmac("sha256", "whsec_0123456789").update(t + ".d1." + body).digest("hex")
    const signed = { secrets: "whsec_0123456789", deliveryId: "d1", signature: "t=" + t + ",v1=" + mac }
    const verified = await verifySignature({ ...signed, body })
    if (verified.deliveryId !== "d1") throw new Error("not verified")
    const forged = await verifySignature({ ...signed, body: "{ }" }).then(() => "verified", () => "refused")
    if (forged !== "refused") throw new Error(forged)
    const webhooks = createWebhookHandler({ secrets: "whsec_0123456789", on: { orders: () => undefined } })
    const headers = { "hookrail-signature": signed.signature, "hookrail-delivery-id": "d1", "hookrail-event-id": "e1", "hookrail-topic": "orders" }
    const { status } = await webhooks(new Request("http://localhost/", { method: "POST", headers, body }))
    if (status !== 204) throw new Error("answered " + status)
    try {
      createWebhookHandler({ secrets: "" })
      throw new Error("took an empty secret")
    } catch (error) {
      // One class, though it comes from two entries.
      if (!(error instanceof HookrailConfigError)) throw error
    }
    console.log("ok")
  }
  void main()
`

const effectSource = `
  import { NodeHookrail, NodeWebhooks } from "@hookrail/node"
  import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
  import { DeliveryLog, HookrailClient, SendGate, SignatureVerifier, Webhooks } from "hookrail"
  ${effectBody}
`
const promiseSource = `
  import { Hookrail, HookrailConfigError, NotFoundError } from "@hookrail/promise"
  import { HookrailAdmin } from "@hookrail/promise/admin"
  import { createWebhookHandler } from "@hookrail/promise/webhooks"
  import { verifySignature } from "@hookrail/promise/verify"
  import { createHmac } from "node:crypto"
  ${promiseBody}
`

/** Prints how many timers a webhook with a signature that does not match has left that keep the process. */
const mismatchSource = `
  import { Hookrail } from "@hookrail/promise"
  import { createWebhookHandler } from "@hookrail/promise/webhooks"
  const main = async () => {
    const webhooks = createWebhookHandler({ secrets: "whsec_0123456789", log: () => {} })
    const headers = {
      "hookrail-signature": "t=" + Math.floor(Date.now() / 1000) + ",v1=" + "ab".repeat(32),
      "hookrail-delivery-id": "d1",
      "hookrail-event-id": "e1",
      "hookrail-topic": "orders"
    }
    const { status } = await webhooks(new Request("http://localhost/", { method: "POST", headers, body: "{}" }))
    await webhooks.drain()
    await new Promise((resolve) => setImmediate(resolve))
    console.log(status, process.getActiveResourcesInfo().filter((it) => it === "Timeout").length)
    process.exit()
  }
  void main()
`

// The sources are plain JavaScript that also type-checks: the same text runs and is compiled.
const required = (source: string) => source.replace(/import (\{.*?\}) from (".*?")/g, "const $1 = require($2)")

describe.skipIf(!built && process.env["CI"] === undefined)("packed (needs a build: pnpm run build)", () => {
  let directory: string
  let emulator: RunningEmulator

  /** Where a consumer has what it has installed. */
  const unpacked = (folder: Folder) =>
    join(directory, folder === "promise" ? "promise" : "effect", "node_modules", packages[folder])

  beforeAll(async () => {
    emulator = await startEmulator()
    directory = await mkdtemp(join(tmpdir(), "hookrail-packed-"))
    for (const consumer of ["effect", "promise"]) {
      const modules = join(directory, consumer, "node_modules")
      await mkdir(modules, { recursive: true })
      await link(".", "typescript", modules)
      await link(".", "@types/node", modules)
      if (consumer === "effect") {
        await link("packages/node", "undici", modules)
        await link("packages/hookrail", "effect", modules)
        await link("packages/hookrail", "@effect/platform", modules)
      }
    }
    await Promise.all(
      folders.map(async (folder) => {
        const tarball = await pack(folder, directory)
        await mkdir(unpacked(folder), { recursive: true })
        await exec("tar", ["-xzf", tarball, "-C", unpacked(folder), "--strip-components=1"], directory)
      })
    )
  }, 60_000)

  afterAll(async () => {
    await emulator?.close()
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  for (const [consumer, source] of [["effect", effectSource], ["promise", promiseSource]] as const) {
    describe(`the ${consumer} consumer`, () => {
      for (const extension of ["mjs", "cjs"]) {
        it(`runs as .${extension}`, async () => {
          const cwd = join(directory, consumer)
          const file = `main.${extension}`
          await writeFile(join(cwd, file), extension === "cjs" ? required(source) : source)
          const { stdout } = await exec(process.execPath, [file], cwd, {
            KEY: emulator.apiKey,
            URL: emulator.url,
            TOKEN: emulator.adminToken,
            ADMIN_URL: emulator.adminUrl
          })
          assert.strictEqual(stdout, "ok\n")
        })
      }

      it("exports what it makes, with declarations", async () => {
        if (consumer !== "promise") return
        const cwd = join(directory, consumer)
        await writeFile(
          join(cwd, "declared.mts"),
          `import { Hookrail } from "@hookrail/promise"
           import { HookrailAdmin } from "@hookrail/promise/admin"
           import { createWebhookHandler } from "@hookrail/promise/webhooks"
           export const hookrail = new Hookrail()
           export const admin = new HookrailAdmin()
           export const webhooks = createWebhookHandler({ secrets: () => "" })
           export const send = () => hookrail.sendEvent("orders", {})`
        )
        const compilerOptions = {
          module: "nodenext",
          target: "es2022",
          lib: ["es2022", "dom", "dom.iterable", "esnext.disposable"],
          strict: true,
          declaration: true,
          outDir: "declared",
          types: []
        }
        await writeFile(join(cwd, "declared.json"), JSON.stringify({ compilerOptions, files: ["declared.mts"] }))
        await exec(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "declared.json"], cwd)
      })

      it("type-checks as .mts and .cts", async () => {
        const cwd = join(directory, consumer)
        await writeFile(join(cwd, "types.mts"), source)
        await writeFile(join(cwd, "types.cts"), source)
        const compilerOptions = {
          module: "nodenext",
          target: "es2022",
          lib: ["es2022", "dom", "dom.iterable", "esnext.disposable"],
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: consumer === "effect",
          noEmit: true,
          types: ["node"]
        }
        await writeFile(
          join(cwd, "tsconfig.json"),
          JSON.stringify({ compilerOptions, files: ["types.mts", "types.cts"] })
        )
        await exec(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "."], cwd)
      })
    })
  }

  it.each(["mjs", "cjs"])(
    "what a mismatch leaves to do keeps no process, with two entries loaded: .%s",
    async (extension) => {
      const cwd = join(directory, "promise")
      const file = `mismatch.${extension}`
      await writeFile(join(cwd, file), extension === "cjs" ? required(mismatchSource) : mismatchSource)
      const { stdout } = await exec(process.execPath, [file], cwd)
      assert.strictEqual(stdout, "503 0\n")
    }
  )

  it.each(folders)("%s has the licence, and claims no home that is not its own", async (folder) => {
    const license = await readFile(join(root, "LICENSE"), "utf8")
    assert.strictEqual(await readFile(join(unpacked(folder), "LICENSE"), "utf8"), license)
    const manifest = JSON.parse(await readFile(join(unpacked(folder), "package.json"), "utf8"))
    const home = JSON.stringify([manifest.homepage, manifest.repository, manifest.bugs])
    assert.notMatch(home, /mit112\/hookrail(?![\w-])/, "the repository of the server")
  })

  it.each(folders)("%s says how to use it well, and so does its other line", async (folder) => {
    const agents = await readFile(join(root, "packages", folder, "AGENTS.md"), "utf8")
    assert.strictEqual(await readFile(join(unpacked(folder), "AGENTS.md"), "utf8"), agents)
    // Links would lead nowhere: nothing else of this repository is there.
    assert.notMatch(agents, /\]\((?!https:)/)
    const twin = join(root, "packages", `${folder}-4`, "package")
    const licensed = folder === "hookrail" || folder === "node" ? [unpacked(folder), twin] : [unpacked(folder)]
    for (const home of licensed) {
      assert.strictEqual(await readFile(join(home, "AGENTS.md"), "utf8"), agents)
      await stat(join(home, "LICENSE"))
      if (!agents.includes("`llms-full.txt`, beside this file")) continue
      const full = await readFile(join(home, "llms-full.txt"), "utf8")
      for (const page of ["README.md", "docs/receiving.md", "docs/protocol.md"]) {
        assert.include(full, `<!-- ${page} -->`)
      }
    }
  })

  it("@hookrail/promise names everyone whose code is inside, with the licence, and nobody else", async () => {
    const notices = await readFile(join(unpacked("promise"), "dist/THIRD-PARTY-NOTICES.txt"), "utf8")
    const from = join(root, "packages/promise")
    const { metafile } = await build({
      ...bundle,
      absWorkingDir: from,
      entryPoints: ["index", "web", "webhooks", "admin", "admin-web", "verify", "errors"].map((name) =>
        `src/${name}.ts`
      ),
      format: "esm",
      metafile: true,
      outdir: join(directory, "bundle"),
      write: false
    })
    const inside = new Map<string, Set<string>>()
    const outputs: Metafile["outputs"] = metafile.outputs
    for (const [path, { bytesInOutput }] of Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs))) {
      const [, folder, name] = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(path) ?? []
      if (name === undefined || bytesInOutput === 0) continue
      const { version } = JSON.parse(await readFile(join(from, folder!, "package.json"), "utf8"))
      const key = `${name} ${version}`
      inside.set(key, (inside.get(key) ?? new Set()).add(join(from, folder!, "LICENSE")))
    }
    const named = [...notices.matchAll(/^=+\n(.+?) \([\w.-]+\)\n=+$/gm)].map(([, name]) => name!)
    assert.deepStrictEqual(named, [...inside.keys()].sort())
    assert.include(named.join(), "effect")
    for (const file of [...inside.values()].flatMap((files) => [...files])) {
      assert.include(notices, (await readFile(file, "utf8")).trim())
    }
    // What Effect and undici have taken from elsewhere.
    for (const author of ["Fedor Indutny"]) {
      assert.include(notices, author)
    }
  })

  // A new process pays for each file that it loads, and for each module of Node: see docs/performance.md.
  describe("up to its first event, @hookrail/promise loads", () => {
    /** Sends an event, then prints what of Node has been loaded meanwhile. */
    const first = (load: string, files: string) => `
      const before = new Set(process.moduleLoadList)
      const main = async () => {
        const { Hookrail } = ${load}
        const client = new Hookrail({ apiKey: process.env.KEY, baseUrl: process.env.URL, onUnmatched: "ignore" })
        await client.sendEvent("first.event", { n: 1 })
        const builtins = process.moduleLoadList.filter((name) => !before.has(name) && name.startsWith("NativeModule "))
          .map((name) => name.slice("NativeModule ".length))
        console.log(JSON.stringify({ builtins, files: ${files} }))
        await client.close()
      }
      main()`

    interface Loaded {
      readonly builtins: ReadonlyArray<string>
      readonly files: ReadonlyArray<string>
    }

    const run = async (file: string, source: string): Promise<Loaded> => {
      const cwd = join(directory, "promise")
      await writeFile(join(cwd, file), source)
      const { stdout } = await exec(process.execPath, [file], cwd, { KEY: emulator.apiKey, URL: emulator.url })
      return JSON.parse(stdout) as Loaded
    }

    const check = (builtins: ReadonlyArray<string>) => {
      // Slow to load, and only for TLS, certificates, compressed answers and failed assertions; or never.
      for (const name of ["tls", "crypto", "zlib", "assert", "http2", "dns", "internal/deps/undici/undici"]) {
        assert.notInclude(builtins, name)
      }
      // It is looked for in the right place.
      assert.include(builtins, "net")
    }

    it("three files as .cjs, and no module of Node that it does not need", async () => {
      const source = first(`require("@hookrail/promise")`, "Object.keys(require.cache)")
      const { builtins, files } = await run("first.cjs", source)
      const dist = join(await realpath(unpacked("promise")), "dist")
      const own = files.filter((file) => !file.endsWith("first.cjs"))
      assert.sameMembers(own, ["errors.cjs", "index.cjs", "verify.cjs"].map((name) => join(dist, name)))
      const sizes = await Promise.all(own.map(async (file) => (await stat(file)).size))
      assert.isAtMost(sizes.reduce((sum, size) => sum + size) / 1000, 500)
      check(builtins)
    })

    it("the same as .mjs", async () => {
      const { builtins } = await run("first.mjs", first(`await import("@hookrail/promise")`, "[]"))
      check(builtins)
      const imported = new Set(["index.js"])
      for (const name of imported) {
        const text = await readFile(join(unpacked("promise"), "dist", name), "utf8")
        for (const [, path] of text.matchAll(/^(?:import|export)\b[^"]*"([^"]+)";?$/gm)) {
          if (path!.startsWith("node:")) assert.notInclude(["node:http", "node:crypto", "node:tls"], path)
          else imported.add(path!.replace("./", ""))
        }
      }
      assert.sameMembers([...imported], ["index.js", "errors.js", "verify.js"])
    })
  })

  it("@hookrail/promise/admin is one file besides those that all entries share, and not too large", async () => {
    const dist = join(unpacked("promise"), "dist")
    for (const [name, limit] of [["admin", 600], ["admin-web", 320]] as const) {
      for (const extension of ["js", "cjs"]) {
        const text = await readFile(join(dist, `${name}.${extension}`), "utf8")
        assert.isAtMost(text.length / 1000, limit, name)
        const loaded = [...text.matchAll(/(?:\bfrom |\brequire\()"(\.[^"]+)"/g)].map(([, path]) => path!)
        assert.sameMembers([...new Set(loaded)], [`./errors.${extension}`], name)
      }
    }
  })

  it("a stack of @hookrail/promise has the caller's line, and source maps lead to its sources", async () => {
    const cwd = join(directory, "promise")
    const stack = `
      import { Hookrail } from "@hookrail/promise"
      const placeOrder = async (client) => {
        await client.sendEvent("orders", {})
      }
      const client = new Hookrail({ apiKey: "k", baseUrl: "http://127.0.0.1:1", retry: false })
      void placeOrder(client).catch((error) => console.log(error.stack)).finally(() => client.close())
    `
    for (const file of ["stack.mjs", "stack.cjs"]) {
      await writeFile(join(cwd, file), file.endsWith("cjs") ? required(stack) : stack)
      const plain = await exec(process.execPath, [file], cwd)
      assert.match(plain.stdout, /^RetryError: event on topic "orders"/)
      assert.match(plain.stdout, /\bsendEvent .*dist.index\.c?js:\d+/)
      assert.match(plain.stdout, /\bplaceOrder .*stack\.[cm]js:4:/)
      const mapped = await exec(process.execPath, ["--enable-source-maps", file], cwd)
      assert.match(mapped.stdout, /\bsendEvent .*client\.ts:\d+/)
    }
    const dist = join(unpacked("promise"), "dist")
    const maps = (await readdir(dist)).filter((file) => /\.c?js$/.test(file)).map((file) => `${file}.map`)
    for (const file of maps) {
      const { sources, sourcesContent } = JSON.parse(await readFile(join(dist, file), "utf8")) as {
        readonly sources: ReadonlyArray<string>
        readonly sourcesContent: ReadonlyArray<string | null>
      }
      // Of others there are names alone, without the folders of the machine that built it.
      assert.deepStrictEqual(
        sources.filter((source, n) => (sourcesContent[n] === null) !== source.startsWith("../node_modules/")),
        [],
        file
      )
      assert.isTrue(sources.some((source) => source.startsWith("../src/")), file)
    }
  })

  it("the declarations of @hookrail/promise name no effect", async () => {
    const dist = join(unpacked("promise"), "dist")
    const files = (await readdir(dist, { recursive: true })).filter((file) => /\.d\.c?ts$/.test(file))
    assert.isNotEmpty(files)
    for (const file of files) {
      assert.notMatch(
        await readFile(join(dist, file), "utf8"),
        /["'](effect|hookrail|@effect|@hookrail(?!\/promise))(["'/])/,
        file
      )
    }
  })
})
