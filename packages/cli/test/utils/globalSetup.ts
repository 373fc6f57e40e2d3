/** Builds the command once for all tests: they run it as users do, as a process. */
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { bundle } from "../../bundle.js"

export const setup = async (): Promise<void> => {
  await build({
    ...bundle,
    absWorkingDir: fileURLToPath(new URL("../..", import.meta.url)),
    outdir: "node_modules/.cache/hookrail",
    logLevel: "error"
  })
}
