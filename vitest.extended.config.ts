import { defineConfig } from "vitest/config"
import { closingLine } from "./vitest.config.js"
import { projects } from "./vitest.workspace.js"

/** What takes too long for `npm test`: the tests in the `extended` folder of each package. */
export default defineConfig({
  test: {
    projects: projects("extended"),
    reporters: ["verbose", closingLine],
    dangerouslyIgnoreUnhandledErrors: false,
    fileParallelism: false,
    testTimeout: 120_000
  }
})
