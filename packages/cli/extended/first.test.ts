/** The first verified webhook, as the READMEs show it: one command and one paste, from packed packages in an empty folder. */
import { spawn } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "vitest"
import { pack, root } from "../../integration/test/packing.js"
import { environment, Process, serve } from "../test/utils/command.js"

it("arrives after one command and one paste", async () => {
  const [own, common] = await Promise.all(
    ["packages/cli/README.md", "README.md"].map((file) => readFile(join(root, file), "utf8"))
  )
  const [command = "", paste = ""] = [...own!.matchAll(/```sh\n([^]*?)```/g)].map(([, text]) => text!)
  assert.include(common, command)
  assert.include(common, paste)

  const directory = await mkdtemp(join(tmpdir(), "hookrail-first-"))
  const [cli, promise] = [await pack("cli", directory), await pack("promise", directory)]
  // A port that was free a moment ago.
  const other = await serve(() => {})
  const port = new URL(other.url).port
  await other[Symbol.asyncDispose]()
  const here = (text: string) =>
    text.replaceAll("npx @hookrail/cli", `npm exec --yes --package=${cli} -- hookrail`)
      .replace("npm install @hookrail/promise", `npm install ${promise}`)
      .replaceAll("3000", port)
  const run = (text: string) => {
    const child = spawn("sh", ["-c", text], { cwd: directory, env: environment(directory), detached: true })
    child.stdin.end()
    return new Process(child)
  }
  await using dev = run(here(command))
  try {
    await dev.until(/is ready/)
    const pasted = await run(`${here(paste)}\nkill $!`).ended
    assert.include(pasted.stdout, "verified: { order_id: 'o_1' }", pasted.stderr)
    assert.match(pasted.stdout, /succeeded\n {4}attempt 1 {2}success {2}2\d\d/)
    await dev.until(/delivery {2}succeeded/)
  } finally {
    // With what npm has started.
    process.kill(-dev.child.pid!, "SIGINT")
    await dev.ended
    await rm(directory, { recursive: true, force: true })
  }
}, 300_000)
