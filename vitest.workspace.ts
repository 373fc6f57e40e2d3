import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { TestProjectInlineConfiguration } from "vitest/config"

const packages = fileURLToPath(new URL("./packages", import.meta.url))

/** Packages of this workspace resolve to their sources, so that tests need no build. */
const conditions = ["@hookrail/source", "module", "node", "development|production"]

/** The core's tests share nothing: half of their time would go into loading Effect anew for each file. */
const notIsolated = new Set(["hookrail"])

/** A project for each package that has tests in this folder. */
export const projects = (folder: "test" | "extended"): Array<TestProjectInlineConfiguration> =>
  readdirSync(packages)
    .filter((name) => existsSync(`${packages}/${name}/${folder}`))
    .map((name) => ({
      extends: true,
      root: `${packages}/${name}`,
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      test: { name, include: [`${folder}/**/*.test.ts`], isolate: !notIsolated.has(name) }
    }))
