import { type RunningEmulator, startEmulator } from "@hookrail/emulator"
import { HookrailAdmin, HookrailAbortedError, InsufficientRoleError } from "@hookrail/promise/admin"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

let emulator: RunningEmulator
beforeAll(async () => {
  emulator = await startEmulator()
})
afterAll(() => emulator.close())

describe("HookrailAdmin", () => {
  it("smoke", async () => {
    await using admin = new HookrailAdmin({ baseUrl: emulator.adminUrl, adminToken: emulator.adminToken })
    const { id, secret } = await admin.endpoints.create({ url: "https://example.com/?x=1" })
    assert.match(secret.reveal(), /^whsec_/)
    await admin.subscriptions.create({ topic: "a.*", endpointId: id })
    const rows = []
    for await (const row of admin.endpoints.list({ pageSize: 1 })) rows.push(row)
    assert.lengthOf(rows, 1)
    const { token } = await admin.tokens.create({ role: "viewer", label: "l" })
    await using viewer = new HookrailAdmin({ baseUrl: emulator.adminUrl, adminToken: token.reveal() })
    const error = await viewer.endpoints.delete(id).catch((error) => error)
    assert.instanceOf(error, InsufficientRoleError)
    console.log(error, secret)
    const aborted = await admin.endpoints.get(id, { signal: AbortSignal.abort() }).catch((error) => error)
    assert.instanceOf(aborted, HookrailAbortedError)
    console.log(aborted.message, (await admin.endpoints.get("..").catch((error) => error)).message)
  })
})
