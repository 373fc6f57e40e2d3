/**
 * Measures the tests of the core: changes one thing in its sources, runs the tests that come across it, and counts the
 * changes that none of them notices. See CONTRIBUTING.md.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism, tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { parseArgs } from "node:util"
import { fingerprint, instrumented, moduleOf, modules, root } from "./catalog.js"
import { equivalents } from "./equivalent.js"
import type { Mutant } from "./mutants.js"
import type { Job, Report, Trial } from "./protocol.js"

const usage = `npm run mutate -- [options]

  --only wire/,call/backoff   only modules whose path begins so, below packages/hookrail/src
  --sample 40                 that many mutants, chosen at random; without it, all of them
  --seed 1                    another seed chooses others
  --jobs 2                    processes at a time
  --min 85                    fail if a room's score is lower, in percent
`

const number = (name: string, text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isNaN(value) || value < 0) throw new Error(`--${name} takes a number, not ${text}`)
  return value
}

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    sample: { type: "string" },
    seed: { type: "string" },
    jobs: { type: "string" },
    min: { type: "string" },
    help: { type: "boolean", default: false }
  }
})

const say = (line: string): void => void process.stdout.write(`${line}\n`)

if (values.help) {
  say(usage)
  process.exit(0)
}

const only = values.only.split(",")
const sample = number("sample", values.sample, Infinity)
const seed = number("seed", values.seed, 1)
const jobs = Math.max(1, number("jobs", values.jobs, availableParallelism()))
const min = number("min", values.min, 0)

// ---------------------------------------------------------------------------------------------------------------
// which mutants
// ---------------------------------------------------------------------------------------------------------------

/** Uniform in [0, 1), the same on each machine. */
const randomOf = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

const choose = <A>(all: ReadonlyArray<A>, count: number): ReadonlyArray<A> => {
  if (count >= all.length) return all
  const random = randomOf(seed)
  const left = [...all]
  for (let index = 0; index < count; index++) {
    const other = index + Math.floor(random() * (left.length - index))
    const chosen = left[other]!
    left[other] = left[index]!
    left[index] = chosen
  }
  return left.slice(0, count)
}

const isEquivalent = (mutant: Mutant) => (entry: typeof equivalents[number]): boolean =>
  entry.module === moduleOf(mutant.id) && entry.code === mutant.code && entry.change === mutant.change

const inScope = modules.filter((module) => only.some((prefix) => module.startsWith(prefix)))
const idsOf = new Map(modules.map((module) => [module, instrumented(module).mutants] as const))
const candidates = inScope.flatMap((module) => idsOf.get(module)!)
for (const entry of equivalents) {
  if (!idsOf.get(entry.module)?.some((mutant) => isEquivalent(mutant)(entry))) {
    say(`equivalent.ts: there is no such mutant any more: ${entry.module}, ${entry.code}, ${entry.change}`)
  }
}
const chosen = choose(candidates, sample)
  .filter((mutant) => !equivalents.some(isEquivalent(mutant)))
  .sort((a, b) => a.id - b.id)

// ---------------------------------------------------------------------------------------------------------------
// processes
// ---------------------------------------------------------------------------------------------------------------

const folder = mkdtempSync(join(tmpdir(), "mutate-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs")

interface Outcome {
  readonly reports: ReadonlyArray<Report>
  readonly end: "done" | "hung" | "crashed"
  /** What it wrote, for when nothing else explains its end. */
  readonly output: string
}

type Task = Job extends infer Each ? Each extends Job ? Omit<Each, "out" | "sources"> : never : never

let processes = 0

const sources = fingerprint()

/** Runs a job in a process of its own, which is killed if it says nothing for too long. */
const run = async (task: Task, patience: number): Promise<Outcome> => {
  const name = join(folder, `${++processes}`)
  const out = `${name}.out`
  writeFileSync(`${name}.json`, JSON.stringify({ ...task, out, sources }))
  const child = spawn(
    process.execPath,
    [vitest, "run", "--config", "packages/integration/mutate/vitest.config.ts"],
    { cwd: root, env: { ...process.env, HOOKRAIL_MUTATION: `${name}.json` }, stdio: ["ignore", "pipe", "pipe"] }
  )
  let output = ""
  child.stdout.on("data", (chunk) => output = `${output}${chunk}`.slice(-4_000))
  child.stderr.on("data", (chunk) => output = `${output}${chunk}`.slice(-4_000))
  let hasEnded = false
  const ended = new Promise<void>((resolve) =>
    child.on("close", () => {
      hasEnded = true
      resolve()
    })
  )
  let text = ""
  let quiet = 0
  let end: Outcome["end"] = "crashed"
  while (!hasEnded) {
    await Promise.race([ended, setTimeout(250, undefined, { ref: false })])
    const latest = existsSync(out) ? readFileSync(out, "utf8") : ""
    quiet = latest.length === text.length ? quiet + 250 : 0
    text = latest
    if (text.endsWith("\"done\"}\n")) end = "done"
    // Once it is done, nothing that it left behind may keep it.
    if (quiet > (end === "done" ? 2_000 : patience)) {
      if (end !== "done") end = "hung"
      child.kill("SIGKILL")
      await ended
    }
  }
  // The last line may have been cut off.
  const lines = text.split("\n").slice(0, -1)
  return { reports: lines.map((line) => JSON.parse(line) as Report), end, output }
}

// ---------------------------------------------------------------------------------------------------------------
// coverage
// ---------------------------------------------------------------------------------------------------------------

say(`${chosen.length} of ${candidates.length} mutants, seed ${seed}`)
const began = performance.now()

const baseline = await run({ kind: "coverage" }, 120_000)
const broken = baseline.reports.flatMap((line) => line.kind === "broken" ? [line.test] : [])
if (baseline.end !== "done" || broken.length > 0) {
  say(baseline.output)
  for (const test of broken) say(`fails without a mutant: ${test}`)
  throw new Error("the tests must pass before they can be measured")
}

interface Covering {
  millis: number
  readonly ids: Set<number>
}

/** By file, then by test. What a file does outside of its tests is under `""`. */
const covering = new Map<string, Map<string, Covering>>()
let slowest = 0
for (const line of baseline.reports) {
  if (line.kind !== "covered" || line.file === "") continue
  let inFile = covering.get(line.file)
  if (inFile === undefined) covering.set(line.file, inFile = new Map())
  let found = inFile.get(line.test)
  if (found === undefined) inFile.set(line.test, found = { millis: 0, ids: new Set() })
  found.millis += line.millis
  slowest = Math.max(slowest, line.millis)
  for (const [id] of line.hits) found.ids.add(id)
}

const trialOf = ({ id, isStatic }: Mutant): Trial => {
  const module = moduleOf(id)
  const found: Array<{ readonly file: string; readonly tests: ReadonlyArray<string>; readonly millis: number }> = []
  for (const [file, inFile] of covering) {
    const meets = (covering: Covering) => covering.ids.has(id)
    // What happens when a module is loaded happens for all tests of a file.
    const forAll = isStatic
      ? [...inFile.values()].some(({ ids }) => [...ids].some((other) => moduleOf(other) === module))
      : inFile.has("") && meets(inFile.get("")!)
    const tests = [...inFile].filter(([test, covering]) => test !== "" && (forAll || meets(covering)))
    if (tests.length === 0) continue
    found.push({
      file,
      tests: tests.map(([test]) => test),
      millis: tests.reduce((sum, [, { millis }]) => sum + millis, 0)
    })
  }
  found.sort((a, b) => a.millis - b.millis)
  return { id, files: found.map(({ file }) => file), tests: found.flatMap(({ tests }) => tests) }
}

// ---------------------------------------------------------------------------------------------------------------
// trials
// ---------------------------------------------------------------------------------------------------------------

type Verdict =
  | { readonly kind: "killed"; readonly test: string }
  | { readonly kind: "hung" | "crashed" | "survived" | "unreached" }

const verdicts = new Map<number, Verdict>()
const trials = chosen.map(trialOf)
for (const { files, id } of trials) if (files.length === 0) verdicts.set(id, { kind: "unreached" })

/** Enough to make the start of a process cheap, and few enough for its memory. */
const perProcess = 30

const patience = Math.max(30_000, 5 * slowest)

/** Tries all of them, in as many processes as it takes, and gives those that a test of doubtful word has killed. */
const tryAll = async (trials: ReadonlyArray<Trial>): Promise<ReadonlyArray<Trial>> => {
  const { end, output, reports } = await run({ kind: "batch", trials }, patience)
  const doubtful = new Set<string>()
  let alive = 0
  for (const line of reports) {
    if (line.kind === "alive") alive = line.id
    else if (line.kind === "killed") verdicts.set(line.id, { kind: "killed", test: line.test })
    else if (line.kind === "tried") {
      if (!verdicts.has(line.id)) verdicts.set(line.id, { kind: "survived" })
      alive = 0
    } else if (line.kind === "control" && !line.passes) doubtful.add(line.test)
  }
  if (end !== "done") {
    if (alive === 0 && reports.length === 0) throw new Error(`a process ended before it had begun: ${output}`)
    if (alive !== 0 && !verdicts.has(alive)) verdicts.set(alive, { kind: end })
    const rest = trials.filter(({ id }) => !verdicts.has(id))
    return rest.length === 0 ? [] : rest.length < trials.length ? tryAll(rest) : rest
  }
  if (trials.length === 1) return []
  return trials.filter(({ id }) => {
    const verdict = verdicts.get(id)
    return verdict === undefined || verdict.kind === "killed" && doubtful.has(verdict.test)
  })
}

const queue = trials.filter(({ files }) => files.length > 0)
const inTurn = async (): Promise<void> => {
  while (queue.length > 0) {
    // Smaller ones towards the end, so that all processes end together.
    const size = Math.max(8, Math.min(perProcess, Math.ceil(queue.length / jobs / 2)))
    for (const trial of await tryAll(queue.splice(0, size))) {
      verdicts.delete(trial.id)
      await tryAll([trial])
    }
    say(`${verdicts.size} of ${chosen.length} tried, ${Math.round((performance.now() - began) / 1000)} s`)
  }
}
await Promise.all(Array.from({ length: jobs }, inTurn))

// ---------------------------------------------------------------------------------------------------------------
// report
// ---------------------------------------------------------------------------------------------------------------

interface Tally {
  killed: number
  hung: number
  survived: number
  unreached: number
}

const roomOf = (module: string): string => module.includes("/") ? `${dirname(module)}/` : "modules"

const rooms = new Map<string, Tally>()
const survivors: Array<string> = []
for (const mutant of chosen) {
  const module = moduleOf(mutant.id)
  const verdict = verdicts.get(mutant.id) ?? { kind: "survived" }
  let tally = rooms.get(roomOf(module))
  if (tally === undefined) rooms.set(roomOf(module), tally = { killed: 0, hung: 0, survived: 0, unreached: 0 })
  if (verdict.kind === "killed") tally.killed++
  else if (verdict.kind === "hung" || verdict.kind === "crashed") tally.hung++
  else {
    tally[verdict.kind]++
    const why = verdict.kind === "unreached" ? "  (no test comes here)" : ""
    survivors.push(
      `packages/hookrail/src/${module}:${mutant.line}:${mutant.column}  ${mutant.change}${why}\n    ${mutant.code}`
    )
  }
}

say("")
for (const survivor of survivors) say(survivor)
if (survivors.length > 0) say("")

const row = (cells: ReadonlyArray<string | number>): string =>
  cells.map((cell, index) => index === 0 ? String(cell).padEnd(14) : String(cell).padStart(10)).join("")

say(row(["room", "mutants", "killed", "hung", "survived", "unreached", "score"]))
const low: Array<string> = []
for (const [room, { hung, killed, survived, unreached }] of rooms) {
  const total = killed + hung + survived + unreached
  const score = (killed + hung) / total * 100
  if (score < min) low.push(room)
  say(row([room, total, killed, hung, survived, unreached, `${score.toFixed(1)} %`]))
}
const files = new Set(
  [...verdicts.values()].flatMap((verdict) =>
    verdict.kind === "killed" ? [basename(verdict.test.split(" > ")[0]!)] : []
  )
)
say(`${files.size} test files killed some, ${Math.round((performance.now() - began) / 1000)} s`)
if (low.length > 0) {
  say(`below ${min} %: ${low.join(", ")}`)
  process.exitCode = 1
}
