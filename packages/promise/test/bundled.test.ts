/** The tests of the facade once more, over the bundle, whose Effect is a lean one. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it, vi } from "vitest"
import { entry, metafile, remove } from "./bundled.js"

const load = vi.hoisted(() => async (name: string) => ({ ...await (await import("./bundled.js")).entry(name) }))

vi.mock("../src/admin.js", () => load("admin"))
vi.mock("../src/admin-web.js", () => load("admin-web"))
vi.mock("../src/errors.js", () => load("errors"))
vi.mock("../src/events.js", () => load("events"))
vi.mock("../src/index.js", () => load("index"))
vi.mock("../src/verify.js", () => load("verify"))
vi.mock("../src/web.js", () => load("web"))
vi.mock("../src/webhooks.js", () => load("webhooks"))

const root = fileURLToPath(new URL("..", import.meta.url))

afterAll(remove)

describe("the bundle", () => {
  it("is what these tests use", async () => {
    const { Hookrail } = await import("../src/index.js")
    assert.strictEqual(Hookrail, (await entry("index") as { readonly Hookrail: unknown }).Hookrail)
  })

  // They would not understand each other.
  it("has nothing of the durations that the lean ones replace", () => {
    for (const { inputs } of Object.values(metafile.outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
        if (/effect\/dist\/Duration\.js$/.test(path)) assert.strictEqual(bytesInOutput, 0)
      }
    }
  })

  it("asks nothing of Effect that its lean fibers cannot do", async () => {
    const missing =
      /\b(?:forkChild|forkIn|forkScoped|onFiberStart|Scheduler)\b|\bEffect\.run\w+\(.*\b(?:scheduler|signal|uninterruptible)\b/
    const sources = Object.keys(metafile.inputs).filter((path) => /(?:hookrail-4|node-4|promise|^)\/?src\//.test(path))
    assert.isAbove(sources.length, 80)
    for (const path of sources) assert.notMatch(await readFile(join(root, path), "utf8"), missing, path)
  })
})

// Not those of dispatchers, which `bundledDispatcher.test.ts` runs: loading undici changes the global `fetch`, which others of these tests use.
await import("./facade.test.js")
await import("./admin.test.js")
await import("./awaited.test.js")
await import("./events.test.js")
await import("./messages.test.js")
await import("./requests.test.js")
await import("./seeing.test.js")
await import("./transport.test.js")
await import("./webhooks.test.js")
