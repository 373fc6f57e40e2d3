/** Source maps that lead to the sources of this workspace. Those of others are named only: they would be most of the package. */
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"

interface SourceMap {
  readonly sources: ReadonlyArray<string>
  readonly sourcesContent: ReadonlyArray<string | null>
}

/** The path of a file within the package manager's folder says nothing to a user: only the package does. */
const named = (source: string): string => source.replace(/^.*\/node_modules\//, "../node_modules/")

/** Removes the texts of other packages from all source maps of a folder. */
export const keepOwnSources = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    if (!name.endsWith("js.map")) continue
    const file = join(folder, name)
    const map = JSON.parse(await readFile(file, "utf8")) as SourceMap
    const sourcesContent = map.sources.map((source, n) =>
      source.includes("/node_modules/") ? null : map.sourcesContent[n] ?? null
    )
    await writeFile(file, JSON.stringify({ ...map, sources: map.sources.map(named), sourcesContent }))
  }
}
