/** Decides which tests run for which mutant, and writes down what they say. */
import { performance } from "node:perf_hooks"
import { VitestTestRunner } from "vitest/runners"
import { bringToLife, job, report, takeHits } from "./alive.js"
import type { Trial } from "./protocol.js"

type Test = Parameters<VitestTestRunner["onBeforeRunTask"]>[0]

type Suite = Parameters<VitestTestRunner["onBeforeRunSuite"]>[0]

interface Place {
  readonly id: number
  readonly file: string
  /** File and names, which is what a test is known by. */
  readonly test: string
}

/** Below the file of the driver there is a suite for the mutant, in it one for each file, and then the tests' own. */
const placeOf = (task: Test | Suite): Place | undefined => {
  const names: Array<string> = []
  for (let at: Test | Suite | undefined = task; at !== undefined && !("filepath" in at); at = at.suite) {
    names.unshift(at.name)
  }
  const [id, file = "", ...rest] = names
  return id === undefined ? undefined : { id: Number(id), file, test: [file, ...rest].join(" > ") }
}

export default class MutationRunner extends VitestTestRunner {
  private readonly trials = new Map<number, { readonly trial: Trial; readonly tests: ReadonlySet<string> }>()
  private readonly killers = new Set<string>()
  private readonly dead = new Set<number>()
  private began = 0

  constructor(...args: ConstructorParameters<typeof VitestTestRunner>) {
    super(...args)
    if (job.kind === "batch") {
      for (const trial of job.trials) this.trials.set(trial.id, { trial, tests: new Set(trial.tests) })
    }
  }

  private isDue({ id, test }: Place): boolean {
    if (job.kind === "coverage") return true
    if (id === 0) return this.killers.has(test)
    return !this.dead.has(id) && this.trials.get(id)?.tests.has(test) === true
  }

  private kill({ id, test }: Place): void {
    if (job.kind === "coverage") return report({ kind: "broken", test })
    if (id === 0) return report({ kind: "control", test, passes: false })
    if (this.dead.has(id)) return
    this.dead.add(id)
    this.killers.add(test)
    report({ kind: "killed", id, test })
  }

  override async onBeforeRunSuite(suite: Suite): Promise<void> {
    const place = placeOf(suite)
    if (place !== undefined) {
      bringToLife(place.id)
      if (this.dead.has(place.id)) suite.mode = "skip"
    }
    await super.onBeforeRunSuite(suite)
  }

  override async onAfterRunSuite(suite: Suite): Promise<void> {
    await super.onAfterRunSuite(suite)
    const place = placeOf(suite)
    if (place === undefined) return
    // A hook or the import failed.
    if (suite.result?.state === "fail" && suite.result.errors?.length) this.kill(place)
    if (job.kind === "coverage") {
      const hits = takeHits()
      if (hits.length > 0) report({ kind: "covered", file: place.file, test: "", millis: 0, hits })
    }
    if (place.file === "") {
      bringToLife(0)
      if (place.id !== 0) report({ kind: "tried", id: place.id })
    }
  }

  override async onBeforeRunTask(test: Test): Promise<void> {
    const place = placeOf(test)
    if (place !== undefined && !this.isDue(place)) test.mode = "skip"
    else if (place !== undefined) {
      if (job.kind === "coverage") {
        const hits = takeHits()
        if (hits.length > 0) report({ kind: "covered", file: place.file, test: "", millis: 0, hits })
      }
      bringToLife(place.id)
      this.began = performance.now()
    }
    await super.onBeforeRunTask(test)
  }

  override onAfterRunTask(test: Test): void {
    super.onAfterRunTask(test)
    const place = placeOf(test)
    if (place === undefined || test.mode === "skip") return
    if (test.result?.state === "fail") this.kill(place)
    else if (job.kind === "batch" && place.id === 0) report({ kind: "control", test: place.test, passes: true })
    if (job.kind === "coverage") {
      const millis = performance.now() - this.began
      report({ kind: "covered", file: place.file, test: place.test, millis, hits: takeHits() })
    }
  }

  override onAfterRunFiles(): void {
    super.onAfterRunFiles()
    report({ kind: "done" })
  }
}
