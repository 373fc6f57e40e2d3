/**
 * What a user of the command `hookrail` waits for: a process from its start to its end, relative to a Node that does nothing in the
 * same round. Cold: the files of the command are not in the page cache; those of Node are.
 */
import { build } from "esbuild"
import { spawnSync } from "node:child_process"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "../../../cli/bundle.js"
import { nodeProgram, runToEnd, start as startChild } from "../children.js"
import type { Node } from "../nodes.js"
import { nodes } from "../nodes.js"
import { apiKey } from "../payload.js"
import type { StubCount, StubReady } from "../protocol.js"
import type { Summary } from "../stats.js"
import { ratios, summarize } from "../stats.js"

interface Contender {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly isCold?: boolean
}

const nothing: Contender = { name: "node, nothing", args: ["--eval", "0"] }

const contendersIn = (directory: string): ReadonlyArray<Contender> => {
  const hookrail = (...args: ReadonlyArray<string>) => ({
    name: `hookrail ${args.join(" ")}`,
    args: [join(directory, "hookrail.js"), ...args]
  })
  const commands = [hookrail("--version"), hookrail("--help"), hookrail("trigger", "orders.created", "--set", "n=1")]
  return [nothing, ...commands, ...commands.map((it) => ({ ...it, name: `${it.name}, cold`, isCold: true }))]
}

export interface CommandRow {
  readonly command: string
  /** The version of Node. */
  readonly node: string
  readonly millis: Summary
  /** To a Node that does nothing. */
  readonly ratio: Summary
}

/** Takes the files of a folder out of the page cache. Whether that is possible here. */
const evict = async (directory: string): Promise<boolean> => {
  const files = await readdir(directory)
  return files.every((file) => {
    const { status } = spawnSync("dd", [`if=${join(directory, file)}`, "iflag=nocache", "count=0", "status=none"])
    return status === 0
  })
}

const once = async (node: Node, contender: Contender, env: NodeJS.ProcessEnv): Promise<number> => {
  const start = performance.now()
  await runToEnd("contender", { command: node.command, args: contender.args, env })
  return performance.now() - start
}

export const command = async (quick: boolean, progress: (text: string) => void): Promise<ReadonlyArray<CommandRow>> => {
  const rounds = quick ? 7 : 21
  const directory = await mkdtemp(join(tmpdir(), "hookrail-bench-command-"))
  const stub = await startChild<null, StubCount>("server", nodeProgram("stub.ts"))
  try {
    const absWorkingDir = fileURLToPath(new URL("../../../cli", import.meta.url))
    await build({ ...bundle, absWorkingDir, outdir: directory, logLevel: "error" })
    const { url } = stub.hello as StubReady
    const env = { PATH: process.env.PATH, HOME: directory, HOOKRAIL_BASE_URL: url, HOOKRAIL_API_KEY: apiKey }
    const contenders = contendersIn(directory)
    const rows: Array<CommandRow> = []
    for (const node of nodes()) {
      const samples = new Map<Contender, Array<number>>(contenders.map((contender) => [contender, []]))
      for (const contender of contenders) await once(node, contender, env)
      for (let round = 0; round < rounds; round++) {
        progress(`Node ${node.version}, round ${round + 1} of ${rounds}`)
        for (const contender of contenders) {
          if (contender.isCold === true && !await evict(directory)) samples.delete(contender)
          samples.get(contender)?.push(await once(node, contender, env))
        }
      }
      const bare = samples.get(nothing)!
      for (const [{ name }, millis] of samples) {
        rows.push({
          command: name,
          node: node.version,
          millis: summarize(millis),
          ratio: summarize(ratios(millis, bare))
        })
      }
    }
    return rows
  } finally {
    await stub.stop()
    await rm(directory, { recursive: true, force: true })
  }
}
