/** How the suites of the packages for Effect 4 run. They need a newer vitest than the rest of the workspace. */
import { availableParallelism } from "node:os"

// The reporter of vitest 5 needs it to show what has failed, and Node 20 does not have it.
const { groupBy } = Map as { groupBy?: unknown }
if (groupBy === undefined) {
  Object.assign(Map, {
    groupBy: <K, A>(items: Iterable<A>, keyOf: (item: A) => K): Map<K, Array<A>> => {
      const groups = new Map<K, Array<A>>()
      for (const item of items) groups.set(keyOf(item), [...groups.get(keyOf(item)) ?? [], item])
      return groups
    }
  })
}

const conditions = ["@hookrail/source", "module", "node", "development|production"]

/** The settings of the suite of a package, by its name. */
export const suiteOf = (name: string) => ({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    name,
    include: ["test/**/*.test.ts"],
    dangerouslyIgnoreUnhandledErrors: false,
    // More than cores, as these tests also wait a good deal.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 20_000
  }
})
