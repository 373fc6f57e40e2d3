import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import * as undici from "undici"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8")
const require = createRequire(import.meta.url)

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}

/** The inner modules that the sources import. */
const imported = new Set(
  readdirSync(`${root}/packages/node/src`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [...read(`packages/node/src/${file}`).matchAll(/"(undici\/[^"]+)"/g)].map(([, path]) => path!))
)

/** What each of them is. */
const expected: Readonly<Record<string, (module: unknown) => void>> = {
  "undici/lib/core/connect.js": (module) => assert.strictEqual(module, undici.buildConnector),
  "undici/lib/core/symbols.js": (module) => assert.typeOf((module as { readonly kParser?: unknown }).kParser, "symbol"),
  "undici/lib/dispatcher/client.js": (module) => assert.strictEqual(module, undici.Client),
  "undici/lib/dispatcher/pool.js": (module) => assert.strictEqual(module, undici.Pool)
}

describe("the inner modules of undici", () => {
  it("are the known ones", () => {
    assert.deepStrictEqual([...imported].sort(), Object.keys(expected))
  })

  for (const [path, check] of Object.entries(expected)) {
    it(`${path} is there for import`, async () => {
      check((await import(path) as { readonly default: unknown }).default)
    })

    it(`${path} is there for require`, () => {
      check(require(path))
    })
  }

  // They moved in a minor version before (6.7): a new one is tried first, and comes with a release of ours. An exact version
  // would give programs that have their own undici a second copy at each patch of it.
  it("are of the minor version that the package asks for", () => {
    const { version } = require("undici/package.json") as Manifest
    const [, range] = /^ {2}undici: (.+)$/m.exec(read("pnpm-workspace.yaml")) ?? []
    const [, minor, patch] = /^~(\d+\.\d+)\.(\d+)$/.exec(range ?? "") ?? []
    const [, installedMinor, installedPatch] = /^(\d+\.\d+)\.(\d+)$/.exec(version) ?? []
    assert.strictEqual(installedMinor, minor)
    // The least that is allowed is what is tested.
    assert.strictEqual(installedPatch, patch)
    const { dependencies } = JSON.parse(read("packages/node/package.json")) as Manifest
    assert.strictEqual(dependencies["undici"], "catalog:")
  })
})
