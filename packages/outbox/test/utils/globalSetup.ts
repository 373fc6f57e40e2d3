/** One Postgres for all test files of a run. */
import type { TestProject } from "vitest/node"
import { startPostgres } from "./postgres.js"

declare module "vitest" {
  export interface ProvidedContext {
    /** The URL of a Postgres; `undefined` where npm has no binaries for this machine. */
    readonly postgres: string | undefined
  }
}

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const postgres = await startPostgres()
  project.provide("postgres", postgres?.url)
  return async () => {
    await postgres?.close()
  }
}
