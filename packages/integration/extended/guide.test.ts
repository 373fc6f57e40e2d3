/** What docs/testing.md says about Jest, MSW and nock, with the real ones from npm. */
import { startEmulator } from "@hookrail/emulator"
import { transform } from "esbuild"
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { guideFiles } from "../test/guide.js"
import { exec, type Folder, folders, pack, packages } from "../test/packing.js"
import { install } from "../test/starting.js"

/** Sends by each transport, with everything answered by the mock; prints what each of them saw. */
const mocked = (setUp: string) => `
  import { Effect, Layer, Redacted } from "effect"
  import { HookrailClient, Transport } from "hookrail"
  import { NodeTransport } from "@hookrail/node"
  ${setUp}
  const { API_KEY, BASE_URL } = process.env
  const send = (transport) =>
    Effect.runPromise(HookrailClient.sendEvent("orders.created", {}).pipe(
      Effect.map(({ eventId }) => eventId === "mocked" ? "mocked" : "sent"),
      Effect.provide(
        HookrailClient.layer({ apiKey: Redacted.make(API_KEY), baseUrl: BASE_URL, onUnmatched: "ignore", retry: false }).pipe(
          Layer.provide(transport)
        )
      )
    ))
  console.log(await send(NodeTransport.layer()), await send(Transport.layerFetch))
  process.exit()
`

const answer = `{ event_id: "mocked", delivery_ids: ["d_1"] }`

const nock = `
  import nock from "nock"
  nock(process.env.BASE_URL).persist().post("/v1/events").reply(202, ${answer})
`

const msw = `
  import { http, HttpResponse } from "msw"
  import { setupServer } from "msw/node"
  setupServer(http.post(process.env.BASE_URL + "/v1/events", () => HttpResponse.json(${answer}, { status: 202 }))).listen()
`

const mockAgent = `
  import { MockAgent, setGlobalDispatcher } from "undici"
  const agent = new MockAgent()
  agent.get(process.env.BASE_URL).intercept({ path: "/v1/events", method: "POST" }).reply(202, ${answer}).persist()
  setGlobalDispatcher(agent)
`

describe("docs/testing.md, with what users install", () => {
  let directory: string

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "hookrail-guide-")))
    const tarballs = Object.fromEntries(
      await Promise.all(folders.map(async (folder) => [folder, await pack(folder, directory)] as const))
    ) as Record<Folder, string>
    const dependencies: Record<string, string> = {
      "@effect/platform": "^0.97.0",
      effect: "^3.22.0",
      jest: "^30.0.0",
      msw: "^2.15.0",
      nock: "^14.0.0",
      undici: "^7.30.0"
    }
    for (const folder of folders) dependencies[packages[folder]] = "*"
    await writeFile(join(directory, "package.json"), JSON.stringify({ private: true, dependencies }))
    await install(directory, tarballs)
  }, 600_000)

  afterAll(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  it.each(
    [
      ["CommonJS", "cjs", "jest.test.js", ""],
      ["ES modules", "esm", "jest.test.mjs", "--experimental-vm-modules"]
    ] as const
  )("Jest, %s", async (_, format, end, options) => {
    const files = (await guideFiles()).filter(({ runner }) => runner === "jest")
    assert.isNotEmpty(files)
    const paths: Array<string> = []
    for (const { code, name } of files) {
      // Any transformer for TypeScript does this.
      const { code: plain } = await transform(code, { format, loader: "ts", target: "node20" })
      const path = name.replace("jest.test.ts", end)
      await writeFile(join(directory, path), plain)
      paths.push(path)
    }
    const args = ["node_modules/jest/bin/jest.js", "--json", "--testMatch", ...paths.map((path) => `**/${path}`)]
    const { stdout } = await exec(process.execPath, args, directory, { NODE_OPTIONS: options }, 110_000)
    const report = JSON.parse(stdout)
    assert.isTrue(report.success)
    assert.isAtLeast(report.numPassedTests, 3)
  })

  it.each([["nock", nock, "sent mocked"], ["MSW", msw, "sent mocked"], ["MockAgent", mockAgent, "sent"]])(
    "%s does not see the requests of NodeTransport",
    async (name, setUp, expected) => {
      await using emulator = await startEmulator()
      await writeFile(join(directory, `${name}.mjs`), mocked(setUp))
      const env = { API_KEY: emulator.apiKey, BASE_URL: emulator.url }
      const { stdout } = await exec(process.execPath, [`${name}.mjs`], directory, env, 60_000)
      assert.isTrue(stdout.startsWith(expected), stdout)
    }
  )
})
