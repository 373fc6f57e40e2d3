import { assert, describe, it } from "vitest"
import { EmulatorError, type EmulatorOptions, EmulatorStartError, signWebhook, startEmulator } from "../src/index.js"

/** The error of a start with options that the types would have refused. */
const refusal = async (options: unknown): Promise<EmulatorStartError> => {
  const started = await startEmulator(options as EmulatorOptions).catch((error: unknown) => error)
  assert.instanceOf(started, EmulatorStartError, JSON.stringify(options))
  return started
}

const thrown = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return error
  }
}

describe("mistakes with a running emulator", () => {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- callers without types
  const running = async (): Promise<any> => startEmulator({ clock: "manual" })

  const told = (run: () => unknown): string => {
    const error = thrown(run)
    assert.instanceOf(error, EmulatorError)
    return error.message
  }

  it("a pattern that would match nothing is refused", async () => {
    await using emulator = await running()
    const says = "must be a topic, a prefix followed by \".*\" (as in \"orders.*\"), or \"*\", got \"*.created\""
    assert.strictEqual(told(() => emulator.subscribe({ topic: "*.created", url: "http://a.test" })), `topic ${says}`)
    assert.strictEqual(told(() => emulator.fault({ kind: "reset", topic: "*.created" })), `topic ${says}`)
    assert.strictEqual(told(() => emulator.addApiKey({ scopes: ["*.created"] })), `scopes[0] ${says}`)
    const error = await refusal({ subscriptions: [{ topic: "orders.*.x", url: "http://a.test" }] })
    assert.strictEqual(error.option, "subscriptions[0].topic")
  })

  it("a fault by topic, where there is none, is refused", async () => {
    await using emulator = await running()
    for (const on of ["ready", "health", "metrics", "admin"]) {
      assert.include(told(() => emulator.fault({ on, kind: "reset", topic: "orders.*" })), `on: "${on}" knows no topic`)
    }
    for (const on of ["ingest", "status"]) emulator.fault({ on, kind: "reset", topic: "orders.*" })
  })

  it("what takes one object shows one", async () => {
    await using emulator = await running()
    assert.include(
      told(() => emulator.subscribe("orders.*", "http://a.test")),
      "such as { topic: \"orders.*\", url: \"http"
    )
    assert.include(told(() => emulator.subscribe()), "such as { topic")
    assert.include(told(() => emulator.fault("reset")), "such as { kind: \"status\", status: 503, times: 1 }")
    assert.include(told(() => emulator.fault()), "such as { kind")
    assert.include(told(() => emulator.addEndpoint("http://a.test")), "such as { url: \"http")
    assert.include(told(() => emulator.addApiKey("hk_1")), "such as { scopes: [\"orders.*\"] }")
  })

  it("one that is closed says so, and still shows its ledger", async () => {
    const emulator = await running()
    emulator.fault({ kind: "reset", times: 1 })
    await emulator.close()
    const calls: ReadonlyArray<() => unknown> = [
      () => emulator.fault({ kind: "reset" }),
      () => emulator.subscribe({ topic: "a.b", url: "http://a.test" }),
      () => emulator.addEndpoint({ url: "http://a.test" }),
      () => emulator.addApiKey()
    ]
    for (const call of calls) assert.strictEqual(told(call), "the emulator is closed: start another one")
    const error = await emulator.advance(1).catch((error: unknown) => error)
    assert.strictEqual((error as Error).message, "the emulator is closed: start another one")
    assert.isEmpty(emulator.ledger().events)
    emulator.clearFaults()
    await emulator.close()
  })
})

describe("options", () => {
  /** Options, which of them is wrong, and what its message says. */
  const cases: ReadonlyArray<readonly [options: unknown, option: string, message: string]> = [
    [8080, "", "the options must be an object, got 8080"],
    [{ sede: 1 }, "sede", "there is no option \"sede\"; did you mean \"seed\"?"],
    [{ Port: 1 }, "Port", "there is no option \"Port\"; did you mean \"port\"?"],
    [{ clock: "maunal" }, "clock", "clock must be \"real\" or \"manual\", got \"maunal\"; did you mean \"manual\"?"],
    [{ clock: 1 }, "clock", "clock must be \"real\" or \"manual\", got 1"],
    [{ port: "8080" }, "port", "port must be a whole number of 0..65535, got \"8080\""],
    [{ port: 65_536 }, "port", "port must be a whole number of 0..65535, got 65536"],
    [{ workers: 0 }, "workers", "workers must be a whole number of at least 1, got 0"],
    [{ workers: 1.5 }, "workers", "workers must be a whole number of at least 1, got 1.5"],
    [{ host: 1 }, "host", "host must be a non-empty string, got 1"],
    [{ startAt: 5 }, "startAt", "startAt needs clock: \"manual\""],
    [
      { attemptTimeouts: { attemptMs: 1e10 } },
      "attemptTimeouts.attemptMs",
      "attemptTimeouts.attemptMs must be a number of 1..2147483647, got 10000000000"
    ],
    [
      { attemptTimeouts: { headerMs: 1 } },
      "attemptTimeouts.headerMs",
      "attemptTimeouts has no option \"headerMs\"; did you mean \"headersMs\"?"
    ],
    [{ backoff: { baseMs: 5, capMs: 1 } }, "backoff.capMs", "backoff.capMs must be at least baseMs, got 1"],
    [{ backoff: { capMs: 1 } }, "backoff.baseMs", "backoff.baseMs must be a number of at least 0, got undefined"],
    [
      { ingestRateLimit: true },
      "ingestRateLimit",
      "ingestRateLimit must be false or an object, got true"
    ],
    [
      { ingestRateLimit: { rps: 0, burst: 1 } },
      "ingestRateLimit.rps",
      "ingestRateLimit.rps must be a number above 0, got 0"
    ],
    [{ apiKeys: "hk_secret" }, "apiKeys", "apiKeys must be a list, got a string"],
    [{ apiKeys: [""] }, "apiKeys[0]", "apiKeys[0] must be a non-empty string, got an empty string"],
    [{ apiKeys: [{ key: 5 }] }, "apiKeys[0].key", "apiKeys[0].key must be a non-empty string, got a number"],
    [{ adminToken: 17 }, "adminToken", "adminToken must be a non-empty string, got a number"],
    [
      { urlPolicy: { allowHttp: true, allowCidrs: ["10.0.0.0/40"] } },
      "urlPolicy.allowCidrs[0]",
      "urlPolicy.allowCidrs[0] must be a range such as \"10.0.0.0/8\", got \"10.0.0.0/40\""
    ],
    [{ observer: { request: 1 } }, "observer.request", "observer.request must be a function, got 1"],
    [
      { subscriptions: [{ topic: "t", url: "nonsense" }] },
      "subscriptions[0].url",
      "subscriptions[0].url must be a URL that urlPolicy allows, such as \"http://127.0.0.1:3000/\", got \"nonsense\""
    ],
    [
      { subscriptions: [{ topic: "t", url: "http://me:secret@a.test/" }] },
      "subscriptions[0].url",
      "subscriptions[0].url must be a URL that urlPolicy allows, such as \"http://127.0.0.1:3000/\", got \"http://***@a.test/\""
    ],
    [
      { subscriptions: [{ topic: "t", url: "http://a.test/", endpointId: "e" }] },
      "subscriptions[0]",
      "subscriptions[0] needs either url or endpointId, got both"
    ],
    [{ subscriptions: [{ topic: "t" }] }, "subscriptions[0]", "subscriptions[0] needs either url or endpointId"],
    [
      { subscriptions: [{ topic: "t", url: "http://a.test/", maxAttempts: 101 }] },
      "subscriptions[0].maxAttempts",
      "subscriptions[0].maxAttempts must be a whole number of 1..100, got 101"
    ],
    [
      { faults: [{ kind: "stauts", status: 503 }] },
      "faults[0].kind",
      "faults[0].kind must be \"status\", \"reset\", \"close\", \"stall\", \"truncate\", \"drip\", \"garbage\", \"delay\" or " +
      "\"database\", got \"stauts\"; did you mean \"status\"?"
    ],
    [
      { faults: [{ kind: "timeout" }] },
      "faults[0].kind",
      "faults[0].kind \"timeout\" is a fault of deliveries: it needs on: \"delivery\""
    ],
    [
      { faults: [{ on: "delivery", kind: "stall" }] },
      "faults[0].kind",
      "faults[0].kind \"stall\" is a fault of requests, not of deliveries"
    ],
    [
      { faults: [{ kind: "status", status: 99 }] },
      "faults[0].status",
      "faults[0].status must be a whole number of 200..999, got 99"
    ],
    [
      { faults: [{ kind: "reset", status: 1 }] },
      "faults[0].status",
      "faults[0] has no option \"status\": a fault of kind \"reset\" takes when, on, topic, nth, times, probability"
    ],
    [
      { faults: [{ kind: "reset", whne: "after" }] },
      "faults[0].whne",
      "faults[0] has no option \"whne\"; did you mean \"when\"?"
    ],
    [
      { faults: [{ kind: "reset", when: "afer" }] },
      "faults[0].when",
      "faults[0].when must be \"before\" or \"after\", got \"afer\"; did you mean \"after\"?"
    ],
    [
      { faults: [{ kind: "status", status: 503, headers: { "a b": "c" } }] },
      "faults[0].headers",
      "faults[0].headers must be headers by name, got one named \"a b\""
    ]
  ]

  it.each(cases)("%j", async (options, option, message) => {
    const error = await refusal(options)
    assert.strictEqual(error.message, message)
    assert.strictEqual(error.option ?? "", option)
  })

  it("never show a secret", async () => {
    for (const options of [{ apiKeys: "canary" }, { apiKeys: [{ kye: "canary" }] }, { adminToken: ["canary"] }]) {
      assert.notInclude((await refusal(options)).message, "canary")
    }
  })

  it("are the same when undefined as when absent", async () => {
    await using emulator = await startEmulator({ port: undefined, faults: undefined, clock: undefined })
    assert.isString(emulator.url)
  })

  it("a port that is taken is no option that is wrong", async () => {
    await using emulator = await startEmulator()
    assert.isUndefined((await refusal({ port: Number(new URL(emulator.url).port) })).option)
  })
})

describe("calls", () => {
  it("of a running emulator check what they are given", async () => {
    await using emulator = await startEmulator({ clock: "manual" })
    const calls: ReadonlyArray<readonly [() => unknown, message: string]> = [
      [
        () => emulator.fault({ kind: "rest" } as never),
        "kind must be \"status\", \"reset\", \"close\", \"stall\", \"truncate\", \"drip\", \"garbage\", \"delay\" or \"database\", " +
        "got \"rest\"; did you mean \"reset\"?"
      ],
      [
        () => emulator.subscribe({ topc: "t", url: "http://a.test/" } as never),
        "there is no option \"topc\"; did you mean \"topic\"?"
      ],
      [
        () => emulator.addEndpoint({ url: "ftp://a" }),
        "url must be a URL that urlPolicy allows, such as \"http://127.0.0.1:3000/\", got \"ftp://a\""
      ],
      [() => emulator.addApiKey({ scopes: "*" } as never), "scopes must be a list, got \"*\""],
      [
        () => emulator.setDatabase("donw" as never),
        "state must be \"up\", \"down\", \"failing\" or \"readonly\", got \"donw\"; did you mean \"down\"?"
      ],
      [() => emulator.setRedis("off" as never), "state must be \"up\" or \"down\", got \"off\""]
    ]
    for (const [run, message] of calls) {
      const error = thrown(run)
      assert.instanceOf(error, EmulatorError, message)
      assert.strictEqual(error.message, message)
    }
    const moved = await emulator.advance(NaN).catch((error: unknown) => error)
    assert.instanceOf(moved, EmulatorError)
    assert.strictEqual(moved.message, "ms must be a number of at least 0, got NaN")
  })

  it("of signWebhook as well", () => {
    const error = thrown(() => signWebhook({ topic: "t", payload: {}, secert: "whsec_canary" } as never))
    assert.instanceOf(error, TypeError)
    assert.strictEqual(error.message, "there is no option \"secert\"; did you mean \"secret\"?")
    const missing = thrown(() => signWebhook({ topic: "t", payload: {} } as never))
    assert.instanceOf(missing, TypeError)
    assert.strictEqual(missing.message, "secret must be a non-empty string, got undefined")
  })
})
