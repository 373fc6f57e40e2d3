import type * as Pty from "@lydell/node-pty"
import { assert, describe, it } from "vitest"
import { bin, environment, Home } from "./utils/command.js"

/** Not for every system: its code is compiled. */
const pty: typeof Pty | undefined = await import("@lydell/node-pty").catch(() => undefined)

const inTerminal = (home: Home, args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const terminal = pty!.spawn(process.execPath, [bin, ...args], {
    cols: 120,
    rows: 30,
    cwd: home.path,
    env: { ...environment(home.path), TERM: "xterm-256color", ...env }
  })
  let text = ""
  const waiting = new Set<() => void>()
  terminal.onData((data) => {
    text += data
    for (const check of waiting) check()
  })
  const ended = new Promise<{ code: number; text: string }>((resolve) =>
    terminal.onExit(({ exitCode }) => resolve({ code: exitCode, text }))
  )
  const until = (pattern: RegExp) =>
    new Promise<void>((resolve) => {
      const check = () => pattern.test(text) && resolve()
      waiting.add(check)
      check()
    })
  return { terminal, ended, until }
}

const escape = "\u001b["

describe.skipIf(pty === undefined).concurrent("in a terminal", () => {
  it("there are colours, and Ctrl-C ends dev", async () => {
    await using home = await Home.make()
    const { ended, terminal, until } = inTerminal(home, ["dev", "--port", "0", "--admin-port", "0"])
    await until(/Ctrl-C ends this/)
    terminal.write("\u0003")
    const { code, text } = await ended
    assert.include(text, `${escape}1mhookrail dev${escape}22m is ready`)
    assert.strictEqual(code, 130)
  })

  it("NO_COLOR is respected, and so is --format json", async () => {
    await using home = await Home.make()
    const [plain, json, colored] = await Promise.all([
      inTerminal(home, ["status", "x"], { NO_COLOR: "1" }).ended,
      inTerminal(home, ["status", "x", "--format", "json"]).ended,
      inTerminal(home, ["status", "x"]).ended
    ])
    assert.notInclude(plain.text, escape)
    assert.notInclude(json.text, escape)
    assert.include(colored.text, `${escape}31mhookrail:`)
    assert.strictEqual(plain.code, 3)
  })

  it("nothing is asked: what is missing is an error", async () => {
    await using home = await Home.make()
    const { code, text } = await inTerminal(home, ["send", "t", "--from", "-"], { HOOKRAIL_API_KEY: "hk_x" }).ended
    assert.include(text, "- is the standard input, which is a terminal here")
    assert.strictEqual(code, 2)
  })
})
