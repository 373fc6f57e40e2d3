/** How the command ends. */

/** The exit codes, which docs/command-line.md lists: they never change their meaning. */
export const exitCodes = {
  ok: 0,
  /** What was asked for did not succeed: a delivery failed, a signature does not match, the doctor found a problem. */
  failed: 1,
  /** The command line, a file or a setting is wrong. */
  usage: 2,
  /** There is no key, or the server does not accept it, or it may not do this. */
  authentication: 3,
  notFound: 4,
  /** A write may or may not have happened. */
  unknownOutcome: 5,
  /** The server cannot be reached, or is down. Nothing was changed. */
  unreachable: 6,
  /** What was waited for did not come in time. */
  timedOut: 7,
  /** A defect of this program. */
  defect: 70,
  hangup: 129,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143
} as const

/** The end of a command, with one line that says what happened and what to do. */
export class Failure extends Error {
  constructor(
    readonly code: number,
    message: string,
    /** What the JSON of the error has in addition. Never a secret. */
    readonly details: Readonly<Record<string, unknown>> = {}
  ) {
    super(message)
    this.name = "Failure"
  }
}

export const usage = (message: string): Failure => new Failure(exitCodes.usage, message)

/** Why a command was aborted: a signal, or an output that nobody reads any more. */
export class Stopped {
  constructor(readonly code: number) {}
}
