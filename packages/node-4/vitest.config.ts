import { defineConfig } from "vitest/config"

const conditions = ["@hookrail/source", "module", "node", "development|production"]

/** The suite of the Node parts, on Effect 4. It needs a newer vitest than the rest of the workspace. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { name: "node-4", include: ["test/**/*.test.ts"], dangerouslyIgnoreUnhandledErrors: false, testTimeout: 20_000 }
})
