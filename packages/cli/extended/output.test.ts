/** What every command writes: data and errors that a program can read, whoever reads them or does not. */
import { startEmulator } from "@hookrail/emulator"
import { build } from "esbuild"
import { execFile, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, beforeAll, describe, it } from "vitest"
import { bundle } from "../bundle.js"
import { bin, environment, Home, lines, variablesOf } from "../test/utils/command.js"

beforeAll(() =>
  build({
    ...bundle,
    absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
    outdir: "node_modules/.cache/hookrail",
    logLevel: "error"
  }), 60_000)

const secret = `whsec_${"0a".repeat(24)}`

it("each line of each command is JSON, if that is asked for", async () => {
  await using home = await Home.make()
  await using emulator = await startEmulator({ subscriptions: [{ topic: "*", url: "http://127.0.0.1:1/" }] })
  const env = { ...variablesOf(emulator), HOOKRAIL_WEBHOOK_SECRET: secret }
  const run = (...args: ReadonlyArray<string>) => home.run([...args, "--format", "json"], { env, input: "x" })
  const { eventId } = lines((await run("send", "orders.created", "{}")).stdout)[0]
  const { deliveryId, endpointId } = lines((await run("deliveries", "list")).stdout)[0]
  const commands: ReadonlyArray<ReadonlyArray<string>> = [
    ["trigger", "t"],
    ["trigger", "t", "--dry-run"],
    ["status", eventId],
    ["wait", eventId, "--timeout", "1s"],
    ["doctor"],
    ["sign", "t", "1"],
    ["verify"],
    ["tail", "--interval", "1ms"],
    ["deliveries", "show", deliveryId],
    ["deliveries", "blocked"],
    ["deliveries", "list", "--limit", "0"],
    ["dlq", "list"],
    ["dlq", "replay", "--all", "--dry-run"],
    ["dlq", "replay", deliveryId],
    ["replay", deliveryId],
    ["skip", deliveryId],
    ["endpoints", "list"],
    ["endpoints", "show", endpointId],
    ["endpoints", "create", "https://example.com/x", "--topic", "a"],
    ["endpoints", "update", endpointId, "--description", "é\n\u001b[31m"],
    ["subscriptions", "list"],
    ["subscriptions", "ensure", "t", "https://example.com/x"],
    ["rotate", endpointId],
    ["tokens", "list"],
    ["tokens", "create", "viewer", "l"],
    ["whoami"],
    ["outbox", "status"],
    ["outbox", "sql", "--dialect", "sqlite"],
    ["subscriptions"],
    ["trigre"],
    ["send"],
    ["send", "t", "--nope"]
  ]
  const check = async (command: ReadonlyArray<string>): Promise<void> => {
    const { code, stderr, stdout } = await run(...command)
    const about = `${command.join(" ")}: ${stdout}${stderr}`
    assert.doesNotThrow(() => [lines(stdout), lines(stderr)], about)
    assert.include([0, 1, 2, 3, 4, 7], code, about)
    // A command that fails says why, and one that does not says nothing but warnings.
    const told = lines(stderr)
    if (code === 0) assert.deepStrictEqual(told.filter((line) => "error" in line), [], about)
    else assert.strictEqual(told.at(-1)?.error.exitCode, code, about)
  }
  for (let start = 0; start < commands.length; start += 4) {
    await Promise.all(commands.slice(start, start + 4).map(check))
  }
})

describe.skipIf(process.platform === "win32")("an output that ends early", () => {
  /** Runs it in a shell, as `$H`: the exit codes of its pipe, and what the last one wrote. */
  const shell = (home: Home, line: string, env: Readonly<Record<string, string>>) => {
    const H = `${process.execPath} ${bin}`
    return promisify(execFile)("bash", ["-c", `${line}; echo "codes: \${PIPESTATUS[@]}"`], {
      cwd: home.path,
      env: environment(home.path, { ...env, H })
    })
  }

  it.skipIf(spawnSync("bash", ["--version"]).status !== 0)("ends the command, without a word", async () => {
    await using home = await Home.make()
    await using emulator = await startEmulator({ ingestRateLimit: false })
    const env = variablesOf(emulator)
    // More than a pipe holds.
    const long = await shell(home, "$H dev --help | head -1", env)
    assert.deepStrictEqual([long.stdout, long.stderr], ["DESCRIPTION\ncodes: 0 0\n", ""])
    await home.run(["send", "t", "1"], { env })
    const big = await shell(home, `$H sign t "[$(seq -s, 1 20000)]" | head -c 10 >/dev/null`, {
      ...env,
      HOOKRAIL_WEBHOOK_SECRET: secret
    })
    assert.match(big.stdout, /^codes: (0|141) 0\n$/)
    assert.strictEqual(big.stderr, "")
    for (const closed of [">&-", "<&-", ">&- 2>&- <&-"]) {
      const { stderr } = await shell(home, `$H whoami ${closed}`, env)
      assert.strictEqual(stderr, "", closed)
    }
    if (!existsSync("/dev/full")) return
    const full = await shell(home, "$H whoami >/dev/full", env)
    assert.deepStrictEqual([full.stdout, full.stderr], ["codes: 1\n", "hookrail: cannot write the output (ENOSPC)\n"])
  })
})
