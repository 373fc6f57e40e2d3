/** Packs the published packages as a release does. */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

export const root = fileURLToPath(new URL("../../..", import.meta.url))

/** Folder and name of each published package. */
export const packages = {
  hookrail: "hookrail",
  node: "@hookrail/node",
  promise: "@hookrail/promise",
  emulator: "@hookrail/emulator"
}

export type Folder = keyof typeof packages

/** The same of the packages for Effect 4, which are assembled by their builds. */
export const packages4 = {
  "hookrail-4": "hookrail",
  "node-4": "@hookrail/node"
}

export type Folder4 = keyof typeof packages4

export const folders4 = Object.keys(packages4) as ReadonlyArray<Folder4>

/** Where the package of a folder is packed. */
export const placeOf = (folder: Folder | Folder4 | "outbox" | "cli"): string =>
  join(root, "packages", folder, folder in packages4 ? "package" : "")

export const nameOf = (folder: Folder | Folder4): string => ({ ...packages, ...packages4 })[folder]

export const folders = Object.keys(packages) as ReadonlyArray<Folder>

export const built = folders.every((name) => existsSync(join(root, "packages", name, "dist/index.js")))

/** Runs a program; what it printed comes with the error if it fails or takes longer than `timeout` milliseconds. */
export const exec = async (
  command: string,
  args: ReadonlyArray<string>,
  cwd: string,
  env: NodeJS.ProcessEnv = {},
  timeout = 0
) =>
  promisify(execFile)(command, args, { cwd, timeout, env: { ...process.env, NODE_OPTIONS: "", ...env } }).catch(
    (error: { readonly killed?: boolean; readonly stdout: string; readonly stderr: string }) => {
      const late = error.killed === true ? ` (ended after ${timeout} ms)` : ""
      throw new Error(`${command} ${args.join(" ")}${late}\n${error.stdout}\n${error.stderr}`)
    }
  )

const pnpm = (args: ReadonlyArray<string>, cwd: string) => {
  const cli = process.env["npm_execpath"] ?? ""
  return /pnpm\.c?js$/.test(cli)
    ? exec(process.execPath, [cli, ...args], cwd)
    : exec("npm", ["exec", "--yes", "--package=pnpm@10.34.9", "--", "pnpm", ...args], cwd)
}

/** Packs the package of a folder below `directory` and gives the path of the tarball. */
export const pack = async (folder: Folder | Folder4 | "outbox" | "cli", directory: string): Promise<string> => {
  const to = join(directory, `pack-${folder}`)
  await mkdir(to)
  // An assembled package has nothing left that only pnpm can resolve.
  if (folder in packages4) await exec("npm", ["pack", "--ignore-scripts", "--pack-destination", to], placeOf(folder))
  else await pnpm(["pack", "--pack-destination", to], placeOf(folder))
  return join(to, (await readdir(to)).find((file) => file.endsWith(".tgz"))!)
}
