// Runs `next dev` against an in-process Hookrail server: no account, no network, nothing to configure.
import { startEmulator } from "@hookrail/emulator"
import { spawn } from "node:child_process"

const port = process.env.PORT ?? "3000"
const emulator = await startEmulator()
const { secret } = emulator.subscribe({ topic: "orders.*", url: `http://127.0.0.1:${port}/api/webhooks` })

const next = spawn("npx", ["next", "dev", "--port", port], {
  stdio: "inherit",
  shell: process.platform === "win32",
  env: {
    ...process.env,
    HOOKRAIL_API_KEY: emulator.apiKey,
    HOOKRAIL_BASE_URL: emulator.url,
    HOOKRAIL_WEBHOOK_SECRET: secret
  }
})

next.once("exit", (code) => {
  process.exitCode = code ?? 0
  void emulator.close()
})
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => next.kill(signal))
