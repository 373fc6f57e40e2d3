import { join, relative } from "node:path"
import { defineConfig } from "vitest/config"
import { job } from "./alive.js"
import { fingerprint, instrumented, modules, root, src } from "./catalog.js"

if (job.sources !== fingerprint()) throw new Error("the sources have changed: run it again")

const conditions = ["@hookrail/source", "module", "node", "development|production"]

export default defineConfig({
  root,
  cacheDir: join(root, "node_modules/.cache/mutate"),
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  plugins: [{
    name: "mutants",
    enforce: "pre",
    transform(_, id) {
      const path = relative(src, id.replace(/\?.*$/, "")).replaceAll("\\", "/")
      return modules.includes(path) ? { code: instrumented(path).code, map: null } : null
    }
  }],
  test: {
    name: "mutate",
    include: ["packages/integration/mutate/driver.ts"],
    runner: "./packages/integration/mutate/runner.ts",
    pool: "threads",
    poolOptions: { threads: { singleThread: true } },
    reporters: [{}],
    // A mutant may leave a promise behind, and the next one must not pay for it.
    dangerouslyIgnoreUnhandledErrors: true,
    testTimeout: 30_000,
    teardownTimeout: 1_000
  }
})
