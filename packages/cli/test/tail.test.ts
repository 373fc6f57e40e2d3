import { type HookrailAdmin, HookrailAdmin as Admin } from "@hookrail/promise/admin"
import { assert, it } from "vitest"
import type { Context } from "../src/base/context.js"
import { Output } from "../src/base/output.js"
import { follow, Tail } from "../src/commands/tail.js"

/** A watch over a server that lists these states by delivery, the newest first. */
const watch = (states: Map<string, string>, last = 0) => {
  const printed: Array<{ readonly type: string; readonly deliveryId?: string; readonly state?: string }> = []
  const asked: Array<string> = []
  const rows = () =>
    [...states].reverse().map(([deliveryId, state]) => ({ deliveryId, state, eventId: "e", endpointId: "p" }))
  const admin = {
    deliveries: {
      page: ({ cursor = "0", limit = 0 }: { readonly cursor?: string; readonly limit?: number }) => {
        const end = Number(cursor) + limit
        return Promise.resolve({
          items: rows().slice(Number(cursor), end),
          ...(end < states.size ? { nextCursor: String(end) } : {})
        })
      },
      get: (deliveryId: string) => {
        asked.push(deliveryId)
        return Promise.resolve({ deliveryId, state: states.get(deliveryId)!, attemptsTruncated: false, attempts: [] })
      }
    }
  } as unknown as HookrailAdmin
  const stdout = { write: (text: string) => printed.push(JSON.parse(text)) > 0, isTTY: false }
  const out = new Output("json", { stdout, stderr: stdout, env: {} } as never)
  const context = { out, signal: new AbortController().signal } as Context
  const input = { state: undefined, endpoint: undefined, topic: undefined, event: undefined, interval: "1s", last }
  const tail = new Tail(admin, input, context)
  return {
    asked,
    round: async () => {
      printed.length = 0
      await tail.round()
      return printed.map(({ deliveryId, state, type }) => deliveryId === undefined ? type : `${deliveryId} ${state}`)
    }
  }
}

const many = (states: Map<string, string>, name: string, count: number, state = "succeeded") => {
  for (let n = 0; n < count; n++) states.set(`${name}${n}`, state)
}

it("begins with the last ones, and shows each change once, oldest first", async () => {
  const states = new Map([["a", "succeeded"], ["b", "pending"], ["c", "succeeded"]])
  const { round } = watch(states, 2)
  assert.deepStrictEqual(await round(), ["b pending", "c succeeded"])
  assert.deepStrictEqual(await round(), [])
  states.set("d", "pending").set("b", "in_flight")
  assert.deepStrictEqual(await round(), ["b in_flight", "d pending"])
})

it("reads on until nothing is new, and says when that is too much", async () => {
  const states = new Map<string, string>([["a", "succeeded"]])
  const { round } = watch(states)
  assert.deepStrictEqual(await round(), [])
  many(states, "b", 450)
  assert.lengthOf(await round(), 450)
  many(states, "c", 5_000)
  const flood = await round()
  assert.strictEqual(flood[0], "lag")
  assert.lengthOf(flood, 2_001)
  assert.deepStrictEqual(await round(), [])
})

it("asks for deliveries that are open far behind, a few at a time", async () => {
  const states = new Map<string, string>()
  many(states, "old", 30, "pending")
  const { asked, round } = watch(states)
  await round()
  many(states, "new", 400)
  await round()
  many(states, "old", 30)
  asked.length = 0
  const seen = [...await round(), ...await round()]
  assert.lengthOf(seen.filter((line) => /^old\d+ succeeded$/.test(line)), 30)
  assert.isAtMost(asked.length, 40)
  assert.deepStrictEqual(await round(), [])
})

it("does not explain each failure of a flood", async () => {
  const states = new Map<string, string>([["a", "succeeded"]])
  const { asked, round } = watch(states)
  await round()
  many(states, "b", 100, "dead_lettered")
  assert.lengthOf(await round(), 100)
  assert.lengthOf(asked, 20)
})

/** Follows a server for some rounds, on a clock of the test's: what is told, and how long it paused. */
const followed = async (
  rounds: ReadonlyArray<{ readonly late?: number; readonly takes?: number; readonly fails?: unknown }>
) => {
  const stop = new AbortController()
  const told: Array<string> = []
  const pauses: Array<number> = []
  let now = 1_000_000
  let round = 0
  const tail = {
    tell: ({ type }: { readonly type: string }, text: string) => void told.push(`${type}: ${text}`),
    round: () => {
      const { fails, takes = 0 } = rounds[round++]!
      now += takes
      return fails === undefined ? Promise.resolve() : Promise.reject(fails)
    }
  }
  const sleep = (ms: number) => {
    if (round === rounds.length) stop.abort()
    pauses.push(ms)
    now += ms + (rounds[round]?.late ?? 0)
    return Promise.resolve()
  }
  await follow(tail, "http://a", 2_000, stop.signal, { now: () => now, sleep })
  return { told, pauses }
}

it("says that the machine slept, but not that an answer took long, or that a timer was a bit late", async () => {
  const { told } = await followed([{ late: 19_000 }, { takes: 60_000 }, { late: 3_600_000 }, {}])
  assert.deepStrictEqual(told, ["slept: this machine slept for 3600 s: catching up"])
})

it("asks less often while the server is gone, says so once, and is back", async () => {
  await using nobody = new Admin({ baseUrl: "http://127.0.0.1:1", adminToken: "hkadm_x", retry: false, log: false })
  const fails: unknown = await nobody.whoami().catch((error: unknown) => error)
  const { pauses, told } = await followed([{}, ...Array(6).fill({ fails }), {}, {}])
  assert.lengthOf(told, 2)
  assert.match(told[0]!, /^gone: http:\/\/a is gone \(.*ECONNREFUSED.*\): trying again$/)
  assert.strictEqual(told[1], "back: http://a is back")
  assert.deepStrictEqual(pauses, [2_000, 2_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 2_000, 2_000])
})

it("ends with what is no outage", async () => {
  const mine = new Error("mine")
  assert.strictEqual(await followed([{ fails: mine }]).catch((error: unknown) => error), mine)
})
