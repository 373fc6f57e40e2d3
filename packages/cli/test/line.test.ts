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
    for (const word of ["trigger", "print-secret", "profile", "dotenv"]) assert.include(stdout, word)
    if (shell !== "bash" || spawnSync("bash", ["--version"]).status !== 0) return
    const completed = (line: string) => {
      const words = line.split(" ")
      const ask = `
        COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
        COMP_LINE='${line}'; COMP_POINT=${line.length}
        $(complete -p hookrail | sed 's/.*-F \\([^ ]*\\).*/\\1/') hookrail '${words.at(-1)}' '${words.at(-2)}'
        echo "\${COMPREPLY[@]}"`
      const { stderr, stdout: answer } = spawnSync("bash", ["--norc"], { input: `${stdout}\n${ask}`, encoding: "utf8" })
      assert.strictEqual(stderr, "")
      return answer.trim().split(" ")
    }
    assert.deepStrictEqual(completed("hookrail trigger --form"), ["--format"])
    assert.deepStrictEqual(completed("hookrail trigger t --format j"), ["json"])
    assert.deepStrictEqual(completed("hookrail endpoints list --pro"), ["--profile"])
    assert.deepStrictEqual(completed("hookrail dev --pr"), ["--print-secret", "--profile"])
    assert.deepStrictEqual(completed("hookrail --ver"), ["--version"])
    assert.deepStrictEqual(completed("hookrail tri"), ["trigger"])
  })
})
