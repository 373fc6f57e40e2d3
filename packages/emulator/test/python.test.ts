import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"
import { startEmulator } from "../src/index.js"
import { startReceiver } from "./utils/receiver.js"

const run = promisify(execFile)
const cache = fileURLToPath(new URL("../../../node_modules/.cache/", import.meta.url))
const home = `${cache}hookrail-python`
const environment = { ...process.env, PYTHONPATH: home, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" }

/** Whether this Python can use what is in the cache. */
const usable = (): Promise<boolean> =>
  run("python3", ["-c", "import hookrail; assert hookrail.__version__ == '0.1.0'"], { env: environment }).then(
    () => true,
    () => false
  )

/** Installs the official client unless it is there already; the answer is why that cannot be, if it cannot. */
const install = async (): Promise<string | undefined> => {
  if (await usable()) return undefined
  await mkdir(cache, { recursive: true })
  const directory = await mkdtemp(`${cache}hookrail-python-`)
  try {
    await run("python3", [
      ..."-m pip install --quiet --disable-pip-version-check --retries 1 --timeout 15 --target".split(" "),
      directory,
      "hookrail==0.1.0"
    ], { timeout: 60_000 })
    await rm(home, { recursive: true, force: true })
    await rename(directory, home)
    return await usable() ? undefined : "python3 cannot import hookrail 0.1.0"
  } catch (error) {
    return `python3 or hookrail 0.1.0 cannot be had: ${String(error).split("\n")[0]}`
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const script = `
import json, sys
from hookrail import ConflictError, Hookrail, RetryPolicy, verify_signature
from hookrail.signing import SignatureError

def say(**more):
    print(json.dumps(more), flush=True)

url, key = sys.argv[1:]
policy = RetryPolicy(max_retries=3, base=0.01, cap=0.05)
with Hookrail(api_key=key, base_url=url, policy=policy) as client:
    first = client.send_event("orders.created", {"n": 1}, idempotency_key="k")
    again = client.send_event("orders.created", {"n": 1}, idempotency_key="k")
    try:
        client.send_event("orders.created", {"n": 2}, idempotency_key="k")
        conflict = None
    except ConflictError as error:
        conflict = [error.status, error.problem.title, error.problem.detail]
    say(event=first.event_id, deliveries=first.delivery_ids, replayed=[first.replayed, again.replayed],
        same=first.event_id == again.event_id, conflict=conflict)

    got = json.loads(sys.stdin.readline())
    body = got["body"].encode()
    secret = got["secret"].encode()
    verify_signature(secret, got["signature"], got["delivery"], body)
    try:
        verify_signature(secret, got["signature"], got["delivery"], body + b" ")
        tampered = "verified"
    except SignatureError:
        tampered = "refused"
    status = client.get_event(first.event_id)
    say(tampered=tampered, topic=status.topic, state=status.deliveries[0].state.value,
        attempts=[[a.attempt_no, a.status, a.http_status] for a in status.deliveries[0].attempts])

    sys.stdin.readline()
    retried = client.send_event("orders.paid", {"n": 3})
    say(event=retried.event_id, replayed=retried.replayed)
`

describe("the official Python client", () => {
  it("sends, replays, conflicts, retries, reads and verifies", async (ctx) => {
    const reason = await install()
    if (reason !== undefined) return ctx.skip(reason)
    await using receiver = await startReceiver()
    const secret = "whsec_python"
    await using emulator = await startEmulator({ subscriptions: [{ topic: "*", url: receiver.url, secret }] })

    const python = spawn("python3", ["-c", script, emulator.url, emulator.apiKey], { env: environment })
    const ended = once(python, "close")
    let trouble = ""
    python.stderr.on("data", (chunk: Buffer) => {
      trouble += chunk.toString()
    })
    python.stdin.on("error", () => {})
    const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
    const heard = async (): Promise<Record<string, unknown>> => {
      const { done, value } = await lines.next()
      if (done === true) throw new Error(`the script ended early: ${trouble}`)
      return JSON.parse(value) as Record<string, unknown>
    }
    const tell = (value: unknown): void => {
      python.stdin.write(JSON.stringify(value) + "\n")
    }
    try {
      const sent = await heard()
      const [event] = emulator.ledger().events
      assert.deepStrictEqual(sent, {
        event: event?.eventId,
        deliveries: [...event?.deliveryIds ?? []],
        replayed: [false, true],
        same: true,
        conflict: [409, "idempotency conflict", "Idempotency-Key was reused with a different body"]
      })

      await emulator.idle()
      const [webhook] = receiver.received
      tell({
        secret,
        body: webhook?.body,
        signature: webhook?.headers["hookrail-signature"],
        delivery: webhook?.headers["hookrail-delivery-id"]
      })
      assert.deepStrictEqual(await heard(), {
        tampered: "refused",
        topic: "orders.created",
        state: "succeeded",
        attempts: [[1, "success", 200]]
      })

      emulator.clearLedger()
      emulator.fault({ kind: "status", status: 503, times: 2 })
      tell("go on")
      const retried = await heard()
      assert.deepStrictEqual(emulator.ledger().requests.map(({ answer }) => answer?.status), [503, 503, 202])
      assert.deepStrictEqual(emulator.ledger().events.map(({ eventId }) => eventId), [retried["event"]])
      assert.strictEqual(retried["replayed"], false)

      python.stdin.end()
      assert.deepStrictEqual([await ended, trouble], [[0, null], ""])
    } finally {
      python.kill()
    }
  }, 120_000)
})
