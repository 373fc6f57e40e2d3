import type { Output } from "./output.js"
import type { Settings } from "./settings.js"

/** What every command gets besides its arguments. */
export interface Context {
  readonly out: Output
  readonly settings: Settings
  /** Aborted by Ctrl-C, by `kill`, and when nobody reads the output any more. */
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
}

/** A command: resolves with its exit code, 0 if it has none. */
export type Run<Input> = (input: Input, context: Context) => Promise<number | void>

/** Resolves when the command has to end. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })

/** Waits, or less if the command has to end. */
export const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener("abort", end)
  })
