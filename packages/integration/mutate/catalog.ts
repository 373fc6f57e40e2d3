/** The modules of the core and their mutants: the same in the process that leads and in those that run the tests. */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { instrument, type Instrumented } from "./mutants.js"

export const root = fileURLToPath(new URL("../../..", import.meta.url))

const core = join(root, "packages/hookrail")

export const src = join(core, "src")

const names = (folder: string, end: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(end))
    .sort()

/** By their path below `src`. */
export const modules: ReadonlyArray<string> = names(src, ".ts")

/** These look at the sources as text, where no mutant is. */
const blind = new Set(["house.test.ts", "imports.test.ts"])

/** The tests of the core, as absolute paths. */
export const tests: ReadonlyArray<string> = names(join(core, "test"), ".test.ts")
  .filter((name) => !blind.has(name))
  .map((name) => join(core, "test", name))

/** Changes with the sources: while a run goes on, they must not. */
export const fingerprint = (): string => {
  const hash = createHash("sha256")
  for (const module of modules) hash.update(module).update(readFileSync(join(src, module)))
  return hash.digest("hex")
}

/** More than any module has mutants. */
const idsPerModule = 10_000

export const moduleOf = (id: number): string => modules[Math.floor(id / idsPerModule) - 1]!

export const instrumented = (module: string): Instrumented =>
  instrument(module, readFileSync(join(src, module), "utf8"), (modules.indexOf(module) + 1) * idsPerModule)
