/** What the process that leads and those that run the tests tell each other, through files: they survive a kill. */

/** What a process is given, in the file that `HOOKRAIL_MUTATION` names. */
export type Job = Coverage | Batch

/** Run all tests, with no mutant alive, and say which mutants each of them comes across. */
export interface Coverage {
  readonly kind: "coverage"
  readonly out: string
  /** Of the sources: with others, the ids would mean other mutants. */
  readonly sources: string
}

/** Try these mutants, one after the other. */
export interface Batch {
  readonly kind: "batch"
  readonly out: string
  readonly sources: string
  readonly trials: ReadonlyArray<Trial>
}

export interface Trial {
  readonly id: number
  /** The test files to load, the most promising one first. */
  readonly files: ReadonlyArray<string>
  /** The tests to run, as in `Report.test`. */
  readonly tests: ReadonlyArray<string>
}

/** One line of what a process writes to `out`. */
export type Report =
  /** Coverage: a test, or what a file does outside of its tests (`""`), and how often it came across which mutants. */
  | {
    readonly kind: "covered"
    readonly file: string
    readonly test: string
    readonly millis: number
    readonly hits: ReadonlyArray<readonly [id: number, count: number]>
  }
  /** A test that fails without any mutant. */
  | { readonly kind: "broken"; readonly test: string }
  /** Something is being done with a mutant alive; a process that hangs or crashes does it there. */
  | { readonly kind: "alive"; readonly id: number }
  | { readonly kind: "killed"; readonly id: number; readonly test: string }
  /** All of its tests have run. */
  | { readonly kind: "tried"; readonly id: number }
  /** A test that has killed mutants passes once more without one, or it does not. */
  | { readonly kind: "control"; readonly test: string; readonly passes: boolean }
  | { readonly kind: "done" }
