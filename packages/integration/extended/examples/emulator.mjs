// Runs examples of docs/emulator*.md, docs/admin.md and docs/signature-verifier.md. In a folder with them: see examples.test.ts.
import { signWebhook, startEmulator } from "@hookrail/emulator"
import { NodeHookrail } from "@hookrail/node"
import { Effect } from "effect"

/** What an example prints. */
const printed = async (file) => {
  const lines = []
  const { log } = console
  console.log = (...values) => lines.push(values)
  try {
    await import(file)
  } finally {
    console.log = log
  }
  return lines
}

const emulator = await startEmulator({ sweepIntervalMs: 0 })
process.env.HOOKRAIL_ADMIN_TOKEN = emulator.adminToken
process.env.HOOKRAIL_ADMIN_URL = emulator.adminUrl
const send = () =>
  globalThis.fetch(`${emulator.url}/v1/events`, {
    method: "POST",
    headers: { Authorization: `Bearer ${emulator.apiKey}` },
    body: JSON.stringify({ topic: "users.created", payload: {} })
  })

const [api] = await printed("./api.ts")
const { test } = await import("./emulator.ts")
const { program } = await import("./program.ts")
const { slow } = await import("./slow.ts")
const { fromCode, receive } = await import("./verifier.ts")

const made = await Effect.runPromise(program)
const dead = emulator.subscribe({ topic: "users.*", url: "http://shop.test/" })
for (const status of [410, 404]) {
  const fault = emulator.fault({ on: "delivery", kind: "status", status })
  await send()
  await emulator.idle()
  fault.remove()
}
const list = await printed("./list.ts")
await Effect.runPromise(slow.pipe(Effect.provide(NodeHookrail.layerAdmin())))
globalThis.given = { store: async () => {} }
const setUp = await printed("./setUp.ts")
emulator.fault({ on: "delivery", kind: "status", status: 204 })
const replay = await printed("./replay.ts")

const webhook = signWebhook({ secret: "whsec_old_0123456789abcdef", topic: "orders.created", payload: {} })
const { secretIndex } = await Effect.runPromise(receive(webhook.toRequest()).pipe(Effect.provide(fromCode)))

const result = {
  api,
  emulator: await Effect.runPromise(test),
  program: made.slice(0, 6),
  list: list.map(([deliveryId, finalError]) => deliveryId.length === 26 ? finalError : deliveryId),
  setUp: setUp[0][0],
  replay: replay[0][0],
  verifier: secretIndex
}
emulator.removeSubscription(dead.id)
await emulator.close()
console.log(JSON.stringify(result))
