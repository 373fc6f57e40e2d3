import { assert, describe, it } from "vitest"
import { startEmulator } from "../../src/index.js"
import { missing, runExternal, type Target, targetOf } from "./case.js"
import { cases } from "./cases.js"

/** Runs what can be run, and tells what failed and how many were run and skipped. */
const runAll = async (target: Target) => {
  const [failed, reasons]: [Array<string>, Array<string>] = [[], []]
  for (const one of cases) {
    const reason = missing(one, target)
    if (reason !== undefined) reasons.push(reason)
    else await runExternal(one, target).catch((error: unknown) => failed.push(`${one.id}: ${String(error)}`))
  }
  return { failed, reasons, run: cases.length - reasons.length }
}

describe("the suite against a server that runs already", () => {
  it("passes over HTTP alone", async ({ annotate }) => {
    await using emulator = await startEmulator({ adminToken: "adm_external", apiKeys: ["hk_external"] })
    const target = targetOf({
      HOOKRAIL_CONFORMANCE_URL: `${emulator.url}/`,
      HOOKRAIL_CONFORMANCE_API_KEY: "hk_external",
      HOOKRAIL_CONFORMANCE_ADMIN_URL: emulator.adminUrl,
      HOOKRAIL_CONFORMANCE_ADMIN_TOKEN: "adm_external"
    })!
    // The second round meets what the first left behind.
    for (let round = 0; round < 2; round++) {
      const { failed, reasons, run } = await runAll(target)
      assert.deepStrictEqual(failed, [])
      assert.isAtLeast(run, 80)
      assert.isAtLeast(reasons.length, 30)
      await annotate(`${run} run, ${reasons.length} skipped`)
    }
  }, 60_000)

  it("passes with a producer key alone", async () => {
    await using emulator = await startEmulator({ adminPort: false, apiKeys: ["hk_external"] })
    const target = targetOf({
      HOOKRAIL_CONFORMANCE_URL: emulator.url,
      HOOKRAIL_CONFORMANCE_API_KEY: "hk_external",
      HOOKRAIL_CONFORMANCE_RECEIVER_HOST: ""
    })!
    const { failed, reasons, run } = await runAll(target)
    assert.deepStrictEqual(failed, [])
    assert.isAtLeast(run, 50)
    assert.include(reasons, "needs the admin API")
    assert.include(reasons, "needs the admin API and a receiver that the server can reach")
    assert.include(reasons, "needs control over the database")
  }, 60_000)

  it("refuses half a target", () => {
    const url = "http://127.0.0.1:1"
    assert.isUndefined(targetOf({}))
    assert.throws(() => targetOf({ HOOKRAIL_CONFORMANCE_URL: url }), /API_KEY/)
    const half = { HOOKRAIL_CONFORMANCE_URL: url, HOOKRAIL_CONFORMANCE_API_KEY: "k" }
    assert.throws(() => targetOf({ ...half, HOOKRAIL_CONFORMANCE_ADMIN_URL: url }), /ADMIN_TOKEN/)
    assert.strictEqual(targetOf(half)?.receiverHost, "127.0.0.1")
  })
})
