import { startEmulator } from "@hookrail/emulator"
import { chmod, mkdir, writeFile } from "node:fs/promises"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Home, lines, serve, variablesOf } from "./utils/command.js"

let emulator: Awaited<ReturnType<typeof startEmulator>>
let home: Home
let env: ReturnType<typeof variablesOf>

beforeAll(async () => {
  emulator = await startEmulator()
  home = await Home.make()
  env = variablesOf(emulator)
})

afterAll(async () => {
  await emulator.close()
  await home[Symbol.asyncDispose]()
})

describe.concurrent("events", () => {
  it("are sent with a payload from the command line, and what is accepted is one line of JSON", async () => {
    const ended = await home.run(
      [
        "trigger",
        "orders.set",
        "--set",
        "id=7",
        "--set",
        "customer.name=Ada",
        "--set",
        "items[0].price=4.5",
        "--set",
        "a=null"
      ]
        .concat(["--set-string", "zip=01234", "--set-string", "n=7", "--key", "k_1", "--format", "json"]),
      { env }
    )
    assert.strictEqual(ended.stderr, "")
    const [accepted] = lines(ended.stdout)
    assert.deepStrictEqual({ ...accepted, eventId: "" }, {
      eventId: "",
      deliveryIds: [],
      replayed: false,
      idempotencyKey: "k_1"
    })
    const event = emulator.ledger().events.find(({ eventId }) => eventId === accepted.eventId)
    assert.deepStrictEqual(JSON.parse(event!.payload), {
      id: 7,
      customer: { name: "Ada" },
      items: [{ price: 4.5 }],
      a: null,
      zip: "01234",
      n: "7"
    })
    assert.strictEqual(ended.code, 0)
  })

  it("are sent from a file and from a pipe, which a flag may change", async () => {
    await writeFile(`${home.path}/order.json`, "{\"a\":1,\"b\":{\"c\":2}}")
    const fromFile = await home.run(
      ["send", "orders.file", "--from", "order.json", "--set", "b.c=3", "--format=json"],
      { env }
    )
    const fromPipe = await home.run(["send", "orders.pipe", "--from", "-"], { env, input: "[1,2]" })
    const payloads = new Map(emulator.ledger().events.map(({ payload, topic }) => [topic, JSON.parse(payload)]))
    assert.deepStrictEqual(payloads.get("orders.file"), { a: 1, b: { c: 3 } })
    assert.deepStrictEqual(payloads.get("orders.pipe"), [1, 2])
    assert.deepStrictEqual([fromFile.code, fromPipe.code], [0, 0])
    assert.match(fromPipe.stdout, /^\w{26} {2}accepted, 0 deliveries\n$/)
    assert.strictEqual(fromPipe.stderr, "no subscription matches this topic: nobody receives the event\n")
  })

  it("are checked against a module's schemas before they go out, and examples come from these", async () => {
    await writeFile(
      `${home.path}/topics.mjs`,
      `const schema = {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value) => typeof value.order_id === "string"
            ? { value }
            : { issues: [{ message: "expected a text, actual 7", path: ["order_id"] }] },
          jsonSchema: { input: () => ({
            type: "object",
            required: ["order_id", "lines"],
            properties: { order_id: { type: "string", examples: ["o_1"] }, note: { type: "string" }, lines: {
              type: "array", minItems: 1, items: { type: "integer", minimum: 3 } } }
          }) }
        }
      }
      export const topics = { "orders.checked": schema, "orders.other": { schema, example: { order_id: "o_2" } } }`
    )
    const dry = await home.run([
      "trigger",
      "orders.checked",
      "--catalog",
      "topics.mjs",
      "--dry-run",
      "--format",
      "json"
    ], { env })
    assert.deepStrictEqual(lines(dry.stdout), [{ topic: "orders.checked", payload: { order_id: "o_1", lines: [3] } }])
    const other = await home.run(["trigger", "orders.other", "--catalog", "topics.mjs", "--format", "json"], { env })
    assert.strictEqual(other.code, 0)
    const wrong = await home.run(["trigger", "orders.checked", "--catalog", "topics.mjs", "--set", "order_id=7"], {
      env
    })
    assert.strictEqual(wrong.code, 2)
    assert.strictEqual(
      wrong.stderr,
      "hookrail: the payload does not match the schema of orders.checked, at $.order_id: expected a text: " +
        "change it with --set or --from; nothing was sent\n"
    )
    const unknown = await home.run(["trigger", "orders.x", "--catalog", "topics.mjs"], { env })
    assert.match(unknown.stderr, /has no topic "orders.x": it has orders.checked, orders.other\n$/)
    assert.notInclude(emulator.ledger().events.map(({ topic }) => topic), "orders.checked")
  })

  it("are waited for, and the exit code says how they ended", async () => {
    await using receiver = await serve((request, response) => {
      request.resume()
      response.writeHead(request.url === "/bad" ? 410 : 204).end()
    })
    emulator.subscribe({ topic: "wait.good", url: `${receiver.url}/good` })
    emulator.subscribe({ topic: "wait.bad", url: `${receiver.url}/bad` })
    const [good, bad] = await Promise.all([
      home.run(["send", "wait.good", "1", "--wait", "--format", "json"], { env }),
      home.run(["send", "wait.bad", "1", "--wait"], { env })
    ])
    const [accepted, status] = lines(good.stdout)
    assert.deepStrictEqual([good.code, status.eventId, status.deliveries[0].state], [0, accepted.eventId, "succeeded"])
    assert.strictEqual(bad.code, 1)
    assert.match(bad.stdout, /dead_lettered\n {4}attempt 1 {2}permanent_failure {2}410/)
    assert.match(bad.stderr, /^hookrail: 1 of 1 deliveries did not succeed: \w{26} dead_lettered \(http_410\)\n$/)
    const shown = await home.run(["status", accepted.eventId, "--format", "json"], { env })
    assert.deepStrictEqual(lines(shown.stdout), [status])
  })

  it("are given up by Ctrl-C, and what is known is told", async () => {
    let requested = () => {}
    const arrived = new Promise<void>((resolve) => requested = resolve)
    await using silent = await serve((request) => void request.resume().once("end", requested))
    emulator.subscribe({ topic: "wait.ctrl", url: "http://127.0.0.1:1/" })
    await using waiting = home.start(["send", "wait.ctrl", "1", "--wait", "--format", "json"], { env })
    await waiting.until(/eventId/)
    waiting.child.kill("SIGINT")
    const waited = await waiting.ended
    assert.deepStrictEqual([waited.code, waited.stderr], [130, ""])
    await using sending = home.start(["send", "t", "1", "--key", "k_7"], {
      env: { HOOKRAIL_API_KEY: "hk_x", HOOKRAIL_BASE_URL: silent.url }
    })
    await arrived
    sending.child.kill("SIGTERM")
    const sent = await sending.ended
    assert.strictEqual(sent.code, 143)
    assert.strictEqual(sent.stderr, "it is not known whether the event was stored: send it again with --key k_7\n")
  })

  it("that do not arrive are not waited for longer than asked", async () => {
    emulator.subscribe({ topic: "wait.long", url: "http://127.0.0.1:1/" })
    const ended = await home.run(["send", "wait.long", "1", "--wait", "--timeout", "100ms"], { env })
    assert.strictEqual(ended.code, 7)
    assert.match(ended.stderr, /^hookrail: event \w{26} has not been delivered after 0.1 s \(\w+\): .*\n$/)
  })
})

describe.concurrent("what goes wrong is one line, with an exit code", () => {
  type Case = readonly [
    name: string,
    args: ReadonlyArray<string>,
    code: number,
    line: RegExp,
    env?: Readonly<Record<string, string>>
  ]
  const cases: ReadonlyArray<Case> = [
    ["a wrong key", ["send", "t", "1"], 3, /does not accept the key \(from the environment\)/, {
      HOOKRAIL_API_KEY: "hk_x"
    }],
    ["no key", ["send", "t", "1"], 3, /there is no key: set HOOKRAIL_API_KEY/, {
      HOOKRAIL_API_KEY: "",
      HOOKRAIL_BASE_URL: ""
    }],
    ["a URL without its key", ["send", "t", "1"], 3, /the environment has a URL and no key for it/, {
      HOOKRAIL_API_KEY: ""
    }],
    ["no server", ["send", "t", "1"], 6, /there is no server at http:\/\/127.0.0.1:1 /, {
      HOOKRAIL_BASE_URL: "http://127.0.0.1:1"
    }],
    [
      "no server at the default URL",
      ["send", "t", "1"],
      6,
      /localhost:8080 \(the default: HOOKRAIL_BASE_URL is not set\)/,
      {
        HOOKRAIL_BASE_URL: ""
      }
    ],
    ["no such event", ["status", "01ARZ3NDEKTSV4RRFFQ69G5FAV"], 4, /no event with that id/],
    ["a payload that is not JSON", ["send", "t", "{a}"], 2, /the payload is not JSON: .* like '\{"order_id":"o_1"\}'/],
    ["a payload that is a bare word", ["send", "t", "hello"], 2, /not JSON: .* a text needs its double quotes/],
    ["a payload of a file, as curl has it", ["send", "t", "@order.json"], 2, /a file is given by --from order.json/],
    ["a key on the command line", ["send", "t", "1", "--api-key", "hk_1"], 2, /set HOOKRAIL_API_KEY/],
    ["no payload", ["send", "t"], 2, /there is no payload/],
    ["a file that is not there", ["send", "t", "--from", "nope.json"], 2, /cannot read nope.json \(ENOENT\)/],
    ["a wrong duration", ["wait", "x", "--timeout", "soon"], 2, /--timeout must be a duration, such as 30s/],
    ["an unknown command", ["sned"], 2, /Unknown subcommand "sned" for "hookrail"; did you mean send\?/],
    [
      "an unknown flag",
      ["send", "t", "1", "--kye", "x"],
      2,
      /Unrecognized flag: --kye in command hookrail send; did you mean --key\?/
    ],
    ["a missing argument", ["status"], 2, /Missing required argument: event-id; see hookrail status --help/],
    ["a wrong choice", ["send", "t", "1", "--format", "xml"], 2, /Invalid value for flag --format: "xml"/],
    ["no such profile", ["send", "t", "1", "--profile", "x"], 2, /config.json, and so no profile "x"/]
  ]
  it.each(cases.map((one) => [one[0], one] as const))("%s", async (_, [, args, code, line, changes]) => {
    const ended = await home.run(args, { env: { ...env, ...changes } })
    assert.strictEqual(ended.stdout, "")
    assert.match(ended.stderr, line)
    assert.match(ended.stderr, /^hookrail: [^\n]+\n$/)
    assert.strictEqual(ended.code, code)
  })

  it("in JSON, if asked for", async () => {
    const ended = await home.run(["status", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--format", "json"], { env })
    const [{ error }] = lines(ended.stderr)
    assert.deepStrictEqual([error.exitCode, error.tag, error.status, ended.stdout], [4, "NotFoundError", 404, ""])
  })

  it("and a lost answer is an unknown outcome, with the key to send it again", async () => {
    await using server = await serve((request) => {
      request.resume()
      request.once("end", () => request.socket.destroy())
    })
    const ended = await home.run(["send", "t", "1", "--key", "k_9", "--format", "json"], {
      env: { HOOKRAIL_API_KEY: "hk_x", HOOKRAIL_BASE_URL: server.url }
    })
    const [{ error }] = lines(ended.stderr)
    assert.deepStrictEqual([ended.code, error.outcome, error.idempotencyKey], [5, "unknown", "k_9"])
  })
})

describe.concurrent("profiles", () => {
  it("have a key and its URL, and nothing of the environment", async () => {
    await using home = await Home.make()
    const path = `${home.path}/config/hookrail/config.json`
    await mkdir(`${home.path}/config/hookrail`, { recursive: true })
    const profiles = { local: { apiKey: emulator.apiKey, baseUrl: emulator.url }, broken: { apikey: "x" } }
    await writeFile(path, JSON.stringify({ default: "local", profiles: { local: profiles.local } }), { mode: 0o600 })
    const other = { HOOKRAIL_API_KEY: "hk_other", HOOKRAIL_BASE_URL: "http://127.0.0.1:1" }
    assert.strictEqual((await home.run(["send", "t", "1", "--profile", "local"], { env: other })).code, 0)
    assert.strictEqual((await home.run(["send", "t", "1"])).code, 0)
    await chmod(path, 0o644)
    const open = await home.run(["send", "t", "1"])
    assert.strictEqual(open.code, 2)
    assert.match(open.stderr, /^hookrail: .* can be read by others: run chmod 600 .*config.json\n$/)
    await writeFile(path, JSON.stringify({ profiles }))
    await chmod(path, 0o600)
    const wrong = await home.run(["send", "t", "1", "--profile", "local"])
    assert.match(wrong.stderr, /has "apikey" in the profile "broken": there are baseUrl, apiKey/)
  })
})
