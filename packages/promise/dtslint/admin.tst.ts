/** The admin client has the filters, roles and results of the core, with promises. */
import { HookrailAdmin } from "@hookrail/promise/admin"
import type * as Facade from "@hookrail/promise/admin"
import type * as Core from "hookrail/admin/model"
import { describe, expect, test } from "tstyche"

declare const admin: HookrailAdmin

describe("HookrailAdmin", () => {
  test("rows are those of the core, without Effect", () => {
    expect(admin.endpoints.get("e")).type.toBe<Promise<Core.Endpoint>>()
    expect(admin.deliveries.list()).type.toBe<AsyncIterableIterator<Core.DeliverySummary>>()
    expect(admin.deadLetters.page()).type.toBe<Promise<Core.Page<Core.DeadLetter>>>()
    expect(admin.tokens.create({ role: "viewer", label: "l" })).type.toBe<
      Promise<Core.CreatedToken<Facade.Secret>>
    >()
    expect(admin.endpoints.rotateSecret("e")).type.toBe<Promise<Facade.Secret>>()
    expect<Awaited<Facade.Replaying>>().type.toBe<Core.ReplayCounts>()
  })

  test("filters and roles are typed", () => {
    expect(admin.deliveries.list).type.toBeCallableWith({ state: "dead_lettered" } as const)
    expect(admin.deliveries.list).type.not.toBeCallableWith({ state: "bogus" })
    expect(admin.deadLetters.list).type.not.toBeCallableWith({ since: "2026-01-01" })
    expect(admin.endpoints.list).type.not.toBeCallableWith({ cursor: "c" })
    expect(admin.tokens.create).type.not.toBeCallableWith({ role: "root", label: "l" })
    expect(admin.subscriptions.update).type.not.toBeCallableWith("s", { ordered: true })
  })

  test("options", () => {
    expect(HookrailAdmin).type.toBeConstructableWith({ adminToken: "hkadm_1", baseUrl: "https://a.example.com" })
    expect(HookrailAdmin).type.not.toBeConstructableWith({ apiKey: "hk_1" })
    expect(admin.whoami).type.toBeCallableWith({ timeout: "5 seconds", signal: {} as AbortSignal } as const)
    expect(admin.whoami).type.not.toBeCallableWith({ timeout: "soon" })
  })
})
