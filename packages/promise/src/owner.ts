/** Methods need their client: taken off it, as in `const { sendEvent } = hookrail`, they have no `this`. */
import { located } from "./caller.js"
import { argumentError } from "./errors.js"

/**
 * Throws unless the method was called on its client.
 *
 * @internal
 * @param call How it is written, such as `hookrail.sendEvent`.
 */
export const requireOwner = (isOwner: boolean, call: string): void => {
  if (!isOwner) {
    throw located(argumentError("options", `the method was taken off its client: call it as ${call}(...)`))
  }
}
