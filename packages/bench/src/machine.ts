/** The machine and the versions that were measured. */
import { readFileSync } from "node:fs"
import { cpus, loadavg, totalmem } from "node:os"
import { canPin } from "./children.js"

const packages = ["axios", "effect", "stripe", "standardwebhooks", "svix", "undici"]

const versionOf = (name: string): string => {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version
}

export const machine = () => ({
  date: new Date().toISOString(),
  node: process.version,
  processor: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGigabytes: Math.round(totalmem() / 2 ** 30),
  pinned: canPin,
  /** Load before the run. Above 0, other programs use the machine too, and the figures are worse. */
  loadBefore: loadavg()[0]!,
  versions: Object.fromEntries(packages.map((name) => [name, versionOf(name)]))
})
