/**
 * Assembles the built package for Effect 4 in its folder `package`, under the name by which it is published:
 * `node ../lines/assemble.mjs`, in the folder of the package.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { lines } from "./lines.mjs"

const folder = process.cwd()
const [original] = Object.entries(lines).find(([, twin]) => twin === basename(folder)) ?? []
if (original === undefined) throw new Error(`${folder} is no package for Effect 4`)

const manifest = (path) => JSON.parse(readFileSync(join(folder, path, "package.json"), "utf8"))

const own = manifest(".")
for (const field of ["devDependencies", "private", "scripts"]) delete own[field]
const { description, engines, files, keywords, license, name, publishConfig } = manifest(`../${original}`)

/** Versions as users need them: those of this workspace and of its catalog are installed here. */
const versionOf = (dependency, range) => {
  if (!/^(workspace|catalog):/.test(range)) return range
  const { version } = manifest(`node_modules/${dependency}`)
  return `${range.startsWith("workspace:") ? "^" : "~"}${version}`
}

const dependencies = Object.fromEntries(
  Object.entries(own.dependencies ?? {}).map(([dependency, range]) => [dependency, versionOf(dependency, range)])
)

const target = join(folder, "package")
rmSync(target, { recursive: true, force: true })
mkdirSync(target)
// Declarations for CommonJS have no use here: Effect 4 has none either.
const filter = (path) => !path.endsWith(".d.cts")
for (const part of ["dist", "src"]) cpSync(join(folder, part), join(target, part), { filter, recursive: true })
for (const page of ["README.md", "AGENTS.md"]) cpSync(join(folder, "..", original, page), join(target, page))
if (files.includes("llms-full.txt")) {
  const maker = join(folder, "../../docs/llms.mjs")
  execFileSync(process.execPath, [maker, "--full", join(target, "llms-full.txt")])
}
cpSync(join(folder, "../../LICENSE"), join(target, "LICENSE"))
writeFileSync(
  join(target, "package.json"),
  `${
    JSON.stringify(
      {
        ...own,
        name,
        description,
        license,
        keywords,
        engines,
        files,
        dependencies,
        publishConfig: { access: publishConfig.access }
      },
      null,
      2
    )
  }\n`
)
