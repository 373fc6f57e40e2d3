/** Copies of the starters, and programs that run in them. */
import { spawn } from "node:child_process"
import { cp, mkdir, readFile, realpath, symlink, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { dirname, join, relative } from "node:path"
import { exec, type Folder, type Folder4, nameOf, root } from "./packing.js"

export type Starter = "effect-service" | "effect-service-3" | "express" | "next"

/** Copies a starter as a user would, without what was made in its folder. */
export const copyStarter = async (starter: Starter, directory: string): Promise<string> => {
  const from = join(root, "scratchpad", starter)
  const to = join(directory, starter)
  const made = /^(?:node_modules|\.next|package-lock\.json|next-env\.d\.ts)(?:\/|$)/
  await cp(from, to, { recursive: true, filter: (path) => !made.test(relative(from, path)) })
  return to
}

/** Packed packages, by their folders. */
export type Tarballs = Readonly<Partial<Record<Folder | Folder4, string>>>

/** Installs what a project asks for with npm, with these tarballs for our own packages. */
export const install = async (project: string, tarballs: Tarballs): Promise<void> => {
  const file = join(project, "package.json")
  const manifest = JSON.parse(await readFile(file, "utf8"))
  const places = Object.fromEntries(
    Object.entries(tarballs).map(([folder, tarball]) => [nameOf(folder as Folder | Folder4), `file:${tarball}`])
  )
  // What our packages need of each other comes from the same tarballs.
  manifest.overrides = places
  for (const dependencies of [manifest.dependencies, manifest.devDependencies]) {
    for (const name of Object.keys(places)) {
      if (name in (dependencies ?? {})) dependencies[name] = places[name]
    }
  }
  await writeFile(file, JSON.stringify(manifest, null, 2))
  await exec("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], project)
}

/** Gives a project its dependencies without a package manager: links of what this workspace has, and unpacked tarballs. */
export const linkAll = async (
  project: string,
  links: Readonly<Record<string, string>>,
  tarballs: Tarballs
): Promise<void> => {
  const modules = join(project, "node_modules")
  for (const [name, from] of Object.entries(links)) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(await realpath(join(root, from, "node_modules", name)), join(modules, name))
  }
  for (const [folder, tarball] of Object.entries(tarballs)) {
    const to = join(modules, nameOf(folder as Folder | Folder4))
    await mkdir(to, { recursive: true })
    await exec("tar", ["-xzf", tarball, "-C", to, "--strip-components=1"], project)
  }
}

export const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface Program {
  /** Resolves once the program has printed this; rejects if it ends before. */
  readonly printed: (text: string) => Promise<void>
  readonly output: () => string
  /** Asks it to end, and gives its exit code. */
  readonly stop: () => Promise<number | null>
  /** Ends it and all that it started, if it still runs. */
  readonly kill: () => Promise<void>
}

/** Runs a program until it is stopped. */
export const run = (
  args: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>>
): Program => {
  // A process group of its own, so that nothing that it started is left behind.
  const child = spawn(process.execPath, args, {
    cwd,
    detached: true,
    env: { ...process.env, NODE_OPTIONS: "", ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  const listeners = new Set<() => void>()
  const changed = () => listeners.forEach((listener) => listener())
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
      changed()
    })
  }
  let ended = false
  const exited = new Promise<number | null>((resolve) =>
    child.once("close", (code) => {
      ended = true
      changed()
      resolve(code)
    })
  )
  return {
    output: () => output,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (output.includes(text)) resolve()
          else if (ended) reject(new Error(`ended without "${text}":\n${output}`))
          else return
          listeners.delete(look)
        }
        listeners.add(look)
        look()
      }),
    stop: () => {
      child.kill("SIGTERM")
      return exited
    },
    kill: async () => {
      if (ended) return
      process.kill(-child.pid!, "SIGKILL")
      await exited
    }
  }
}

/** Posts JSON and gives status and body. */
export const post = async (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body)
  })
  return { status: response.status, body: await response.text() }
}
