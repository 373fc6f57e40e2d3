import { spawnSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { Home } from "./utils/command.js"

describe.concurrent("the command line", () => {
  it("has a version, and help with examples", async () => {
    await using home = await Home.make()
    const [version, help, group] = await Promise.all([
      home.run(["--version"]),
      home.run(["trigger", "--help"]),
      home.run([])
    ])
    assert.deepStrictEqual([version.stdout, version.stderr, version.code], ["hookrail 0.0.0\n", "", 0])
    assert.match(help.stdout, /hookrail trigger orders.created --set order_id=o_9/)
    assert.notInclude(help.stdout, "\u001b")
    assert.deepStrictEqual([help.code, help.stderr, group.code, group.stderr], [0, "", 0, ""])
  })

  it.each(["bash", "zsh", "fish", "powershell"])("is completed by %s", async (shell) => {
    await using home = await Home.make()
    const { code, stderr, stdout } = await home.run(["--completions", shell])
    assert.deepStrictEqual([code, stderr], [0, ""])
    for (const word of ["trigger", "print-secret"]) assert.include(stdout, word)
    // Where there is a bash, it is at least a program of it.
    if (shell === "bash" && spawnSync("bash", ["--version"]).status === 0) {
      assert.strictEqual(spawnSync("bash", ["-n"], { input: stdout }).status, 0)
    }
  })
})
