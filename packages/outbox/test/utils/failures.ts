import * as util from "node:util"
import { assert } from "vitest"

export const failure = (run: Promise<unknown> | (() => Promise<unknown>)): Promise<unknown> =>
  (typeof run === "function" ? run() : run).then(() => assert.fail("it did not fail"), (error: unknown) => error)

export const rejects = async <E extends Error>(
  promise: Promise<unknown>,
  type: abstract new(...args: Array<never>) => E
): Promise<E> => {
  const error = await failure(promise)
  assert.isTrue(error instanceof type, util.inspect(error))
  return error as E
}

/** What a function throws. */
export const thrown = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  return assert.fail("it did not throw")
}
