/** What the sources with mutants in them call: `__mutant__`, a global function. */
import { appendFileSync, readFileSync } from "node:fs"
import type { Job, Report } from "./protocol.js"

export const job = JSON.parse(readFileSync(process.env["HOOKRAIL_MUTATION"]!, "utf8")) as Job

export const report = (line: Report): void => appendFileSync(job.out, `${JSON.stringify(line)}\n`)

/** A mutant that is met that often has made a loop endless. */
const tooOften = 30_000_000

interface State {
  alive: number
  met: number
  /** Coverage: how often each mutant was met since the last look. */
  hits: Map<number, number>
}

// On the global object, because the tests reset the modules between mutants.
const host = globalThis as { __mutation__?: State; __mutant__?: (id: number) => boolean }

const state: State = host.__mutation__ ??= { alive: 0, met: 0, hits: new Map() }

host.__mutant__ ??= job.kind === "coverage"
  ? (id) => {
    state.hits.set(id, (state.hits.get(id) ?? 0) + 1)
    return false
  }
  : (id) => {
    if (id !== state.alive) return false
    if (++state.met > tooOften) throw new Error("a mutant has made a loop endless")
    return true
  }

/** Brings a mutant to life, or with 0 none. */
export const bringToLife = (id: number): void => {
  state.alive = id
  state.met = 0
  if (id !== 0) report({ kind: "alive", id })
}

export const takeHits = (): ReadonlyArray<readonly [number, number]> => {
  const hits = [...state.hits]
  state.hits = new Map()
  return hits
}
