/**
 * Both lines of Effect, from an empty folder, with each package manager: one command installs them, without a word about peers,
 * with one copy of Effect; a first event arrives, and the types compile where nobody skips those of libraries.
 */
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { exec, pack, root } from "../test/packing.js"
import { type Registry, startRegistry } from "./registry.js"

/** By `npm exec`, so that nothing else has to be installed. */
const managers: Readonly<Record<string, ReadonlyArray<string>>> = {
  npm: ["npm", "install", "--no-audit", "--no-fund"],
  pnpm: ["npm", "exec", "--yes", "--package=pnpm@10.34.9", "--", "pnpm", "add"],
  "yarn 1": ["npm", "exec", "--yes", "--package=yarn@1.22.22", "--", "yarn", "add"],
  "yarn 4": ["npm", "exec", "--yes", "--package=@yarnpkg/cli-dist@4.18.1", "--", "yarn", "add"]
}

interface Project {
  /** What is installed, one command after the other. */
  readonly adds: ReadonlyArray<ReadonlyArray<string>>
  /** The version of each package that is installed in the end. */
  readonly versions: Readonly<Record<string, RegExp>>
  /** Everything that can be imported from our packages. */
  readonly entries: ReadonlyArray<string>
  readonly program: string
}

/** Sends an event to an emulator that is a layer of the program. */
const withEffect = (emulator: string, unwrap: string) => `
  import { Emulator } from "@hookrail/emulator/${emulator}"
  import { NodeHookrail } from "@hookrail/node"
  import { Effect, Layer, Redacted } from "effect"
  import { HookrailClient, Transport } from "hookrail"

  const options = Effect.map(Emulator.Emulator, ({ apiKey, url }) => (
    { apiKey: Redacted.make(apiKey), baseUrl: url, onUnmatched: "ignore" as const }
  ))
  const OverUndici = Layer.${unwrap}(Effect.map(options, NodeHookrail.layer))
  const OverFetch = Layer.${unwrap}(Effect.map(options, HookrailClient.layer)).pipe(Layer.provide(Transport.layerFetch))
  const send = HookrailClient.sendEvent("orders.created", { order_id: "o_1" }, { idempotencyKey: "o_1" })
  const program = Effect.gen(function*() {
    const { eventId } = yield* Effect.provide(send, OverUndici)
    const again = yield* Effect.provide(send, OverFetch)
    const { ledger } = yield* Emulator.Emulator
    console.log(ledger().events.map(({ topic }) => topic).join(), again.eventId === eventId, again.replayed)
  })
  await Effect.runPromise(Effect.provide(program, Emulator.layer()))
`

const withoutEffect = `
  import { startEmulator } from "@hookrail/emulator"
  import { Hookrail } from "@hookrail/promise"
  import { verifySignature } from "@hookrail/promise/verify"
  import { createWebhookHandler } from "@hookrail/promise/webhooks"

  export const unused: ReadonlyArray<unknown> = [verifySignature, createWebhookHandler]
  await using emulator = await startEmulator()
  await using hookrail = new Hookrail({ apiKey: emulator.apiKey, baseUrl: emulator.url, onUnmatched: "ignore" })
  const send = () => hookrail.sendEvent("orders.created", { order_id: "o_1" }, { idempotencyKey: "o_1" })
  const { eventId } = await send()
  const again = await send()
  console.log(emulator.ledger().events.map(({ topic }) => topic).join(), again.eventId === eventId, again.replayed)
`

const tools = ["@hookrail/emulator", "@types/node@20", "tsx"]

const projects: Readonly<Record<string, Project>> = {
  "Effect 4": {
    adds: [["hookrail", "effect"], ["@hookrail/node"], tools],
    versions: { effect: /^4\.1\./, hookrail: /^4\./, "@hookrail/node": /^4\./ },
    entries: [
      "hookrail",
      "hookrail/HookrailClient",
      "hookrail/Webhooks",
      "@hookrail/node",
      "@hookrail/emulator/effect"
    ],
    program: withEffect("effect", "unwrap")
  },
  "Effect 3": {
    adds: [["hookrail@3", "effect@3", "@effect/platform@0.97"], ["@hookrail/node@3"], tools],
    versions: { effect: /^3\.22\./, hookrail: /^3\./, "@hookrail/node": /^3\./ },
    entries: [
      "hookrail",
      "hookrail/HookrailClient",
      "hookrail/Webhooks",
      "@hookrail/node",
      "@hookrail/emulator/effect-3"
    ],
    program: withEffect("effect-3", "unwrapEffect")
  },
  "no Effect": {
    adds: [["@hookrail/promise"], tools],
    versions: { "@hookrail/promise": /^\d/ },
    entries: ["@hookrail/promise", "@hookrail/promise/webhooks", "@hookrail/promise/verify", "@hookrail/emulator"],
    program: withoutEffect
  }
}

/** The real paths of all copies of a package below a folder. */
const copiesOf = async (name: string, modules: string): Promise<ReadonlySet<string>> => {
  const found = new Set<string>()
  const seen = new Set<string>()
  const look = async (folder: string): Promise<void> => {
    const path = await realpath(folder).catch(() => undefined)
    if (path === undefined || seen.has(path)) return
    seen.add(path)
    for (const entry of await readdir(path)) {
      const inner = join(path, entry)
      if (entry === ".pnpm") {
        for (const place of await readdir(inner)) await look(join(inner, place, "node_modules"))
      } else if (entry.startsWith("@")) await look(inner)
      else if (!entry.startsWith(".")) {
        if (entry === name && path.endsWith("node_modules")) found.add(await realpath(inner))
        await look(join(inner, "node_modules"))
      }
    }
  }
  await look(modules)
  return found
}

describe("installed in an empty folder", () => {
  let directory: string
  let registry: Registry

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "hookrail-installs-")))
    const published = ["hookrail", "hookrail-4", "node", "node-4", "promise", "emulator"] as const
    const tarballs = await Promise.all(published.map((folder) => pack(folder, directory)))
    registry = await startRegistry(tarballs, directory)
  }, 120_000)

  afterAll(async () => {
    await registry?.close()
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  const cases = Object.keys(managers).flatMap((manager) =>
    Object.keys(projects).map((project) => [manager, project] as const)
  )

  it.each(cases)("by %s, for %s", async (manager, name) => {
    const { adds, entries, program, versions } = projects[name]!
    const folder = join(directory, `${manager}-${name}`.replaceAll(" ", "-"))
    await mkdir(folder)
    await writeFile(join(folder, "package.json"), `{ "private": true, "type": "module" }`)
    if (manager === "yarn 4") await writeFile(join(folder, "yarn.lock"), "")
    const env = {
      npm_config_registry: registry.url,
      // What the runner of these tests was told must not reach the package manager.
      npm_config_user_agent: undefined,
      COREPACK_ENABLE_STRICT: "0",
      YARN_CACHE_FOLDER: join(directory, `cache-${manager.replace(" ", "-")}`),
      YARN_ENABLE_GLOBAL_CACHE: manager === "yarn 4" ? "false" : undefined,
      YARN_ENABLE_IMMUTABLE_INSTALLS: manager === "yarn 4" ? "false" : undefined,
      YARN_ENABLE_TELEMETRY: manager === "yarn 4" ? "false" : undefined,
      YARN_NODE_LINKER: manager === "yarn 4" ? "node-modules" : undefined,
      YARN_NPM_REGISTRY_SERVER: manager === "yarn 4" ? registry.url : undefined,
      YARN_REGISTRY: registry.url,
      YARN_UNSAFE_HTTP_WHITELIST: manager === "yarn 4" ? "127.0.0.1" : undefined
    }
    const [command, ...before] = managers[manager]!
    for (const add of adds) {
      const { stderr, stdout } = await exec(command!, [...before, ...add], folder, env, 240_000)
      const output = `${stdout}${stderr}`
      assert.notMatch(output, /peer|ERESOLVE|incorrectly met|unmet/i, output)
    }

    const modules = join(folder, "node_modules")
    for (const [name, version] of Object.entries(versions)) {
      assert.match(JSON.parse(await readFile(join(modules, name, "package.json"), "utf8")).version, version, name)
    }
    assert.strictEqual((await copiesOf("effect", modules)).size, "effect" in versions ? 1 : 0, "copies of effect")
    if ("effect" in versions) assert.strictEqual((await copiesOf("hookrail", modules)).size, 1, "copies of hookrail")

    await writeFile(join(folder, "main.ts"), program)
    const { stdout } = await exec(process.execPath, ["--import", "tsx", "main.ts"], folder, {}, 60_000)
    assert.strictEqual(stdout, "orders.created true true\n")

    await writeFile(
      join(folder, "all.ts"),
      entries.map((entry, n) => `export * as entry${n} from "${entry}"\n`).join("")
    )
    for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
      const compilerOptions = {
        module,
        moduleResolution,
        target: "es2022",
        // The declarations of Effect 4 name types of the DOM.
        lib: ["es2022", "esnext.disposable", ...(name === "Effect 4" ? ["dom"] : [])],
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true
      }
      await writeFile(
        join(folder, "tsconfig.json"),
        JSON.stringify({ compilerOptions, files: ["main.ts", "all.ts"] })
      )
      await exec(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."], folder)
    }
  }, 600_000)
})
