import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { announceDevServer, devKeys, runningDevServer } from "../src/base/devServer.js"
import { millisOf } from "../src/base/duration.js"
import { parseEnv, updateEnv } from "../src/base/envFile.js"
import { hasColors, oneLine } from "../src/base/output.js"
import { withSettings } from "../src/base/payload.js"
import { Settings } from "../src/base/settings.js"
import { timeFinding } from "../src/commands/doctor.js"

describe("what hookrail dev leaves for other commands", () => {
  it("the server that was started last and runs, also after a later one has ended", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hookrail-cli-"))
    const env = { XDG_STATE_HOME: folder }
    try {
      const server = (pid: number) => ({ ...keys, pid, url: `http://of.${pid}`, adminUrl: "http://a" })
      const keys = await devKeys(env)
      const running = async () => (await runningDevServer(env))?.url
      // Some process that runs, and one that never does.
      const [other, own, none] = [process.ppid, process.pid, 2 ** 30]
      assert.isUndefined(await running())
      const first = await announceDevServer(env, server(other), 1)
      const second = await announceDevServer(env, server(own), 2)
      await announceDevServer(env, server(none), 3)
      assert.strictEqual(await running(), `http://of.${own}`)
      await second()
      assert.strictEqual(await running(), `http://of.${other}`)
      await first()
      assert.isUndefined(await running())
      assert.deepStrictEqual(await devKeys(env), keys)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe("files of variables", () => {
  it("are read with quotes, comments and export", () => {
    assert.deepStrictEqual(
      parseEnv("A=1 # one\nexport B = \"x # y\\n\"\r\n#C=3\nD='\\n'\nE=\nno\n  F=a=b"),
      { A: "1", B: "x # y\n", D: "\\n", E: "", F: "a=b" }
    )
  })

  it("keep their other lines, and their line ends", () => {
    assert.strictEqual(updateEnv("", { A: "1" }), "A=1\n")
    assert.strictEqual(
      updateEnv("X=1\r\n\r\n# A=0\r\nexport A = old # why", { A: "1", B: "2" }),
      "X=1\r\n\r\n# A=0\r\nexport A=1\r\nB=2\r\n"
    )
    const text = "A=1\nB=2\n"
    assert.strictEqual(updateEnv(text, { A: "1" }), text)
  })
})

describe("--set", () => {
  it("sets places, and makes what is on the way", () => {
    assert.deepStrictEqual(
      withSettings({ a: [1, { b: 2 }] }, ["a[1].b=3", "a.2=[4]", "c\\.d.e=x=y", "f="], ["a[0]=1"]),
      {
        a: ["1", { b: 3 }, [4]],
        "c.d": { e: "x=y" },
        f: ""
      }
    )
  })

  it("touches no prototype", () => {
    const payload = withSettings({}, ["__proto__.polluted=1", "constructor.prototype.polluted=1"], [])
    assert.isUndefined(({} as { polluted?: number }).polluted)
    assert.strictEqual(
      JSON.stringify(payload),
      "{\"__proto__\":{\"polluted\":1},\"constructor\":{\"prototype\":{\"polluted\":1}}}"
    )
  })

  it.each(["=1", "a", "", "[]=1"])("refuses %j", (text) => {
    assert.throws(() => withSettings({}, [text], []), /--set must be like order_id=o_9/)
  })

  it("refuses a gap in a list, and a payload without places", () => {
    assert.throws(() => withSettings([1], ["[3]=1"], []), /give an index up to 1/)
    assert.throws(() => withSettings(1, ["a=1"], []), /needs a payload that is an object or a list/)
  })
})

it.each([["30", 30_000], ["1.5s", 1_500], ["200ms", 200], ["2 minutes", 120_000], ["1h", 3_600_000]])(
  "%s is %d ms",
  (text, ms) => {
    assert.strictEqual(millisOf("--x", text), ms)
  }
)

it("colours follow the terminal, unless a variable decides", () => {
  assert.isTrue(hasColors({ isTTY: true }, {}))
  assert.isFalse(hasColors({ isTTY: false }, {}))
  assert.isFalse(hasColors({ isTTY: true }, { TERM: "dumb" }))
  assert.isFalse(hasColors({ isTTY: true }, { NO_COLOR: "1", FORCE_COLOR: "1" }))
  assert.isTrue(hasColors({}, { FORCE_COLOR: "1" }))
})

it("what others wrote cannot steer the terminal", () => {
  assert.strictEqual(oneLine("a\u001b[31m\r\nb\u009b\u2028c"), "a [31m b c")
})

describe("settings", () => {
  const withHome = async (config: object | undefined, use: (env: Record<string, string>) => Promise<void>) => {
    const home = await mkdtemp(join(tmpdir(), "hookrail-settings-"))
    const path = join(home, "config.json")
    if (config !== undefined) await writeFile(path, JSON.stringify(config), { mode: 0o600 })
    try {
      await use({ HOOKRAIL_CONFIG: path, XDG_STATE_HOME: home })
    } finally {
      await rm(home, { recursive: true })
    }
  }
  const profiles = {
    a: { apiKey: "hk_a", baseUrl: "https://a.example/" },
    b: { adminToken: "hkadm_b", adminUrl: "https://b.example", secret: "whsec_1, whsec_2" }
  }
  const settings = (env: Record<string, string>, profile?: string) => new Settings({ env, profile, envFile: undefined })

  it("take a key and its URL from one place", () =>
    withHome({ default: "a", profiles }, async (env) => {
      assert.deepStrictEqual(await settings(env).producer(), {
        apiKey: "hk_a",
        baseUrl: "https://a.example",
        source: "the profile a",
        urlSource: "from the profile a"
      })
      const own = await settings({ ...env, HOOKRAIL_API_KEY: " hk_env " }).producer()
      assert.deepStrictEqual(own, {
        apiKey: "hk_env",
        baseUrl: "http://localhost:8080",
        source: "the environment",
        urlSource: "the default: HOOKRAIL_BASE_URL is not set"
      })
      const stolen = await settings({ ...env, HOOKRAIL_BASE_URL: "https://evil.example" }).producer().catch(String)
      assert.match(String(stolen), /the environment has a URL and no key for it/)
    }))

  it("add the profile that the environment names to it", () =>
    withHome({ profiles }, async (env) => {
      const both = settings({ ...env, HOOKRAIL_API_KEY: "hk_env", HOOKRAIL_PROFILE: "b" })
      assert.strictEqual((await both.producer()).apiKey, "hk_env")
      assert.strictEqual((await both.admin()).token, "hkadm_b")
      assert.deepStrictEqual(await both.secrets(), ["whsec_1", "whsec_2"])
    }))

  it("of a profile are nobody else's", () =>
    withHome({ profiles }, async (env) => {
      const failure = await settings({ ...env, HOOKRAIL_API_KEY: "hk_env" }, "b").producer().catch(String)
      assert.match(String(failure), /there is no key/)
    }))
})

it("a receiver is slow from 3 s on, and too slow for the server from 10 s on", () => {
  const verdicts = [250, 3_000, 3_001, 10_000, 10_001].map((ms) => {
    let found: ReadonlyArray<string | undefined> = []
    timeFinding({ ms }, (...finding) => {
      found = finding
    })
    return found
  })
  const limit = "the server gives up after 10 s"
  assert.deepStrictEqual(verdicts, [
    ["time", "ok", "it answers in 250 ms"],
    ["time", "ok", "it answers in 3000 ms"],
    ["time", "warning", "it took 3.0 s to answer", limit],
    ["time", "warning", "it took 10.0 s to answer", limit],
    ["time", "failed", "it took 10.0 s to answer", `${limit}: answer first, and do long work afterwards`]
  ])
})
