/** The facade as it is in the bundle. */
import { build, type Metafile } from "esbuild"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundle } from "../bundle.js"

const folder = await mkdtemp(join(tmpdir(), "hookrail-bundled-"))

const result = await build({
  ...bundle,
  absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
  entryPoints: ["admin", "admin-web", "errors", "events", "index", "verify", "web", "webhooks"].map((name) =>
    `src/${name}.ts`
  ),
  external: [],
  format: "esm",
  metafile: true,
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  // One copy of each class for all entries, as in the build of the package.
  splitting: true
})

export const metafile: Metafile = result.metafile

/** An entry, by its name. */
export const entry = (name: string): Promise<object> => import(pathToFileURL(join(folder, `${name}.mjs`)).href)

export const remove = (): Promise<void> => rm(folder, { recursive: true })
