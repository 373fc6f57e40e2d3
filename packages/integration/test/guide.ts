/** The examples of docs/testing.md, as the files that their first lines name. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { root } from "./packing.js"

export interface GuideFile {
  readonly name: string
  readonly runner: "vitest" | "node:test" | "jest"
  readonly code: string
}

export const guideFiles = async (): Promise<ReadonlyArray<GuideFile>> => {
  const page = await readFile(join(root, "docs/testing.md"), "utf8")
  return [...page.matchAll(/^```ts(?: effect-4)?\n\/\/ (\S+\.test\.ts)\n([\s\S]*?)^```$/gm)].map(([, name, code]) => ({
    name: name!,
    code: code!,
    runner: code!.includes("\"@jest/globals\"") ? "jest" : code!.includes("\"node:test\"") ? "node:test" : "vitest"
  }))
}
