import { Agent, request } from "node:http"
import { assert, it } from "vitest"
import { startEmulator } from "../src/index.js"
import { getStatus } from "./utils/http.js"
import { startReceiver } from "./utils/receiver.js"

const events = 10_000

it("brings 10,000 events through a flaky receiver to an end", async () => {
  // Every third request fails, in turn by a retryable status, a reset, or for good.
  await using receiver = await startReceiver()
  const failures = [500, "reset", 429, 400] as const
  receiver.reply((index) => index % 3 === 0 ? failures[index / 3 % failures.length]! : 200)
  await using emulator = await startEmulator({
    seed: 11,
    sweepIntervalMs: 0,
    backoff: { baseMs: 1, capMs: 20 },
    ingestRateLimit: false,
    deliveryRateLimit: false
  })
  emulator.subscribe({ topic: "*", url: receiver.url, maxAttempts: 5 })
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const send = (n: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const outgoing = request(`${emulator.url}/v1/events`, {
        agent,
        method: "POST",
        headers: { Authorization: `Bearer ${emulator.apiKey}`, "Idempotency-Key": `k${n}` }
      }, (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (chunk: string) => body += chunk)
        response.on("end", () => resolve((JSON.parse(body) as { event_id: string }).event_id))
      })
      outgoing.on("error", reject)
      outgoing.end(JSON.stringify({ topic: "orders.created", payload: { n } }))
    })
  let next = 0
  const ids: Array<string> = []
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (next < events) ids.push(await send(next++))
  }))
  await emulator.idle()
  agent.destroy()

  const ledger = emulator.ledger()
  assert.lengthOf(ledger.events, events)
  assert.strictEqual(ledger.attempts.length, receiver.received.length)
  const last = new Map(ledger.attempts.map((attempt) => [attempt.deliveryId, attempt]))
  assert.strictEqual(last.size, events)
  const succeeded = [...last.values()].filter(({ status }) => status === "success").length
  const refused = [...last.values()].filter(({ status }) => status === "permanent_failure").length
  const exhausted = [...last.values()].filter(({ attemptNo, status }) =>
    status === "retryable_failure" && attemptNo === 5
  ).length
  assert.strictEqual(succeeded + refused + exhausted, events)
  assert.isAbove(succeeded, events / 2)
  const states = new Set<string>()
  for (const id of ids.slice(0, 200)) states.add((await getStatus(emulator, id)).deliveries?.[0]?.state ?? "")
  assert.deepStrictEqual([...states].filter((state) => state !== "succeeded" && state !== "dead_lettered"), [])
}, 60_000)
