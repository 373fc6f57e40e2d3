/**
 * What programs with the packed packages rely on: declarations that compile where nobody skips them, in every module mode, on
 * Node and elsewhere; errors that are told across module formats.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const packages = {
  hookrail: "hookrail",
  node: "@hookrail/node",
  promise: "@hookrail/promise",
  emulator: "@hookrail/emulator",
  outbox: "@hookrail/outbox"
}
const built = Object.keys(packages).every((name) => existsSync(join(root, "packages", name, "dist/index.js")))

const exec = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  promisify(execFile)(command, args, { cwd, env: { ...process.env, NODE_OPTIONS: "" } }).catch(
    (error: { readonly stdout: string; readonly stderr: string }) => {
      throw new Error(`${command} ${args.join(" ")}\n${error.stdout}\n${error.stderr}`)
    }
  )

/** Links a dependency from where a package of the workspace has it. */
const link = async (from: string, name: string, modules: string) => {
  const target = join(modules, name)
  await mkdir(dirname(target), { recursive: true })
  await symlink(await realpath(join(root, from, "node_modules", name)), target)
}

/** Everything that a package lets its users import, by its manifest. */
const entriesOf = async (modules: string, name: string): Promise<ReadonlyArray<string>> => {
  const { exports } = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"))
  // The adapters for Effect need more than these consumers have.
  return Object.keys(exports).filter((entry) => !/\*|\.json$|^\.\/effect/.test(entry)).map((entry) =>
    name + entry.slice(1)
  )
}

interface Consumer {
  readonly packages: ReadonlyArray<string>
  readonly lib: ReadonlyArray<string>
  readonly types: ReadonlyArray<string>
  readonly customConditions: ReadonlyArray<string>
}

const consumers: Readonly<Record<string, Consumer>> = {
  "on Node, with @types/node": {
    packages: ["hookrail", "node", "promise", "emulator", "outbox"],
    lib: [],
    types: ["node"],
    customConditions: []
  },
  "of a browser": { packages: ["hookrail", "promise"], lib: ["dom"], types: [], customConditions: ["browser"] },
  "of a worker": {
    packages: ["hookrail", "promise", "outbox"],
    lib: ["webworker"],
    types: [],
    customConditions: ["workerd"]
  }
}

/** What an index signature or a missing `lib` would break, besides the declarations themselves. */
const uses = `
import { Delivery } from "hookrail"
import type { Hookrail } from "@hookrail/promise"

export type Known = typeof Delivery.DeliverySchema.Encoded["delivery_id"]
// @ts-expect-error -- there is no such member
export type Unknown = typeof Delivery.DeliverySchema.Encoded["no_such_member"]

export const close = (client: Hookrail): Promise<void> => client[Symbol.asyncDispose]()
`

/** Each format has classes of its own. Run as ESM, which has CJS as well. */
const formats = `
import * as Esm from "hookrail"
import { createRequire } from "node:module"
import * as Promised from "@hookrail/promise"

const require = createRequire(import.meta.url)
const check = (made, { isHookrailError, isRetryable }) => {
  const [error, retryable] = made
  console.log(isHookrailError(error), isRetryable(error), isRetryable(retryable), isHookrailError(new Error()))
}

const core = ({ HookrailConfigError, ServerError }) =>
  [new HookrailConfigError({ option: "apiKey", reason: "r" }), new ServerError({ status: 503 })]
check(core(Esm.HookrailError), require("hookrail").HookrailError)
check(core(require("hookrail").HookrailError), Esm.HookrailError)

const promised = ({ HookrailConfigError, ServerError }) =>
  [new HookrailConfigError("HookrailConfigError", "m"), new ServerError("ServerError", "m")]
check(promised(Promised), require("@hookrail/promise"))
check(promised(require("@hookrail/promise")), Promised)
console.log(promised(require("@hookrail/promise"))[0] instanceof Promised.HookrailError)
`

describe.skipIf(!built && process.env["CI"] === undefined)("consumers (need a build: pnpm run build)", () => {
  let directory: string

  /** A folder of its own: where there is no @types/node, nothing must find it. */
  const folderOf = (consumer: string) => join(directory, consumer.replace(/\W+/g, "-"))

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "hookrail-declarations-")))
    for (const name of Object.keys(packages)) {
      // Nothing but what is in the tarball, but not the tarball itself: these tests need no package manager.
      await exec("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], join(root, "packages", name))
    }
    const tarballs = await readdir(directory)
    for (const [consumer, { packages: names, types }] of Object.entries(consumers)) {
      const modules = join(folderOf(consumer), "node_modules")
      await mkdir(modules, { recursive: true })
      for (const name of ["effect", "@effect/platform"]) await link("packages/hookrail", name, modules)
      if (types.includes("node")) {
        await link(".", "@types/node", modules)
        await link("packages/node", "undici", modules)
      }
      const imports: Array<string> = []
      for (const name of names as ReadonlyArray<keyof typeof packages>) {
        const published = packages[name]
        const tarball = tarballs.find((file) =>
          file.replace(/-\d+\.\d+\.\d+(-\d+)?\.tgz$/, "") === published.replace(/^@|\//g, (c) => c === "@" ? "" : "-")
        )!
        await mkdir(join(modules, published), { recursive: true })
        await exec(
          "tar",
          ["-xzf", join(directory, tarball), "-C", join(modules, published), "--strip-components=1"],
          directory
        )
        imports.push(...await entriesOf(modules, published))
      }
      const source = imports.map((name, n) => `export * as entry${n} from "${name}"`).join("\n") + uses
      for (const file of ["main.mts", "main.cts"]) await writeFile(join(folderOf(consumer), file), source)
    }
  }, 120_000)

  afterAll(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  })

  it("errors are told across formats, where instanceof does not hold", async () => {
    const cwd = folderOf("on Node, with @types/node")
    await writeFile(join(cwd, "formats.mjs"), formats)
    const { stdout } = await exec(process.execPath, ["formats.mjs"], cwd)
    assert.strictEqual(stdout, `${"true false true false\n".repeat(4)}false\n`)
  })

  describe.each(Object.keys(consumers))("compile in a program %s", (consumer) => {
    it.each([["nodenext", "nodenext"], ["esnext", "bundler"]])(
      "module %s, moduleResolution %s",
      async (module, moduleResolution) => {
        const { customConditions, lib, types } = consumers[consumer]!
        const compilerOptions = {
          module,
          moduleResolution,
          customConditions,
          target: "es2022",
          lib: ["es2022", ...lib],
          types,
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          noEmit: true
        }
        const files = module === "nodenext" ? ["main.mts", "main.cts"] : ["main.mts"]
        const cwd = folderOf(consumer)
        await writeFile(join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
        const { stdout } = await exec(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."], cwd)
        assert.strictEqual(stdout, "")
      },
      180_000
    )
  })
})
