/** Mutants that no test can notice, each with the reason. They do not count; one that is listed but killed is reported. */

export interface Equivalent {
  /** Below `packages/hookrail/src`. */
  readonly module: string
  /** The whole line, trimmed. */
  readonly code: string
  /** As the command prints it. */
  readonly change: string
  readonly reason: string
}

export const equivalents: ReadonlyArray<Equivalent> = []
