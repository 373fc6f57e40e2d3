/** The size of a program with one import: bundled, minified and compressed. */
import type { Platform } from "esbuild"
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

interface Program {
  readonly name: string
  /** The whole program. Bundling keeps what it exports. */
  readonly source: string
  readonly platforms: ReadonlyArray<Platform>
}

const everywhere: ReadonlyArray<Platform> = ["node", "browser"]
const onNode: ReadonlyArray<Platform> = ["node"]

/** What the packages of the two lines are called here. */
const lines = [
  { line: 3, core: "hookrail", node: "@hookrail/node", effect: "effect" },
  { line: 4, core: "hookrail-4", node: "@hookrail/node-4", effect: "effect-4" }
]

const programs: ReadonlyArray<Program> = [
  { name: "@hookrail/promise", source: `export { Hookrail } from "@hookrail/promise"`, platforms: everywhere },
  {
    name: "@hookrail/promise/verify",
    source: `export { verifySignature } from "@hookrail/promise/verify"`,
    platforms: everywhere
  },
  ...lines.flatMap(({ core, effect, line, node }): ReadonlyArray<Program> => [
    {
      name: `hookrail@${line}/HookrailClient, layerFetch`,
      source: `export { layer, sendEvent } from "${core}/HookrailClient"
        export { layerFetch } from "${core}/Transport"`,
      platforms: everywhere
    },
    {
      name: `hookrail@${line}/SignatureVerifier`,
      source: `export { layer, verify } from "${core}/SignatureVerifier"`,
      platforms: everywhere
    },
    { name: `@hookrail/node@${line}`, source: `export { layer } from "${node}/NodeHookrail"`, platforms: onNode },
    {
      name: `effect@${line}/Effect`,
      source: `export { runPromise, succeed } from "${effect}/Effect"`,
      platforms: everywhere
    }
  ]),
  { name: "undici Pool", source: `export { Pool } from "undici"`, platforms: onNode },
  { name: "svix", source: `export { Svix } from "svix"`, platforms: everywhere },
  { name: "svix Webhook", source: `export { Webhook } from "svix"`, platforms: everywhere },
  { name: "stripe", source: `export { default } from "stripe"`, platforms: everywhere },
  { name: "axios", source: `export { default } from "axios"`, platforms: everywhere }
]

export interface SizeRow {
  readonly program: string
  readonly platform: Platform
  readonly minifiedKilobytes: number
  readonly gzipKilobytes: number
}

const measure = async ({ name, source }: Program, platform: Platform): Promise<SizeRow> => {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL("../..", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform,
    write: false,
    logLevel: "error"
  })
  const { contents } = outputFiles[0]!
  return {
    program: name,
    platform,
    minifiedKilobytes: contents.length / 1000,
    gzipKilobytes: gzipSync(contents, { level: 9 }).length / 1000
  }
}

export const size = async (): Promise<ReadonlyArray<SizeRow>> => {
  const rows: Array<SizeRow> = []
  for (const program of programs) {
    for (const platform of program.platforms) rows.push(await measure(program, platform))
  }
  return rows
}
