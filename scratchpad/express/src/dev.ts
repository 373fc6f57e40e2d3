// Runs the app against an in-process Hookrail server: no account, no network, nothing to configure.
import { startEmulator } from "@hookrail/emulator"

const port = process.env.PORT ?? "3000"
const emulator = await startEmulator()
const { secret } = emulator.subscribe({ topic: "orders.*", url: `http://127.0.0.1:${port}/webhooks` })

process.env.HOOKRAIL_API_KEY = emulator.apiKey
process.env.HOOKRAIL_BASE_URL = emulator.url
process.env.HOOKRAIL_WEBHOOK_SECRET = secret

await import("./main.js")

const stop = () => void emulator.close()
process.once("SIGTERM", stop)
process.once("SIGINT", stop)
