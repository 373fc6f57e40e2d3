import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { TestProjectInlineConfiguration } from "vitest/config"

const packages = fileURLToPath(new URL("./packages", import.meta.url))

/** Packages of this workspace resolve to their sources, so that tests need no build. */
const conditions = ["@hookrail/source", "module", "node", "development|production"]

/** A project for each package that has tests in this folder. */
export const projects = (folder: "test" | "extended"): Array<TestProjectInlineConfiguration> =>
  readdirSync(packages)
    // Those for Effect 4 need another vitest.
    .filter((name) => !name.endsWith("-4") && existsSync(`${packages}/${name}/${folder}`))
    .map((name) => ({
      extends: true,
      root: `${packages}/${name}`,
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      test: {
        name,
        include: [`${folder}/**/*.test.ts`],
        globalSetup: setups(`${packages}/${name}/test/utils/globalSetup.ts`)
      }
    }))

/** What a package starts once for all of its tests. */
const setups = (file: string): Array<string> => existsSync(file) ? [file] : []
