/** What to do about an answer of the admin API (protocol sections 5.1 and 5.2): its texts say what is wrong, not what helps. */
import type { AdminOperation } from "../../wire/admin.js"
import type { Problem } from "../../wire/model.js"

const byTitle: Readonly<Record<string, string>> = {
  "url rejected":
    "The server's policy for URLs refuses it, and never says why: it must be https (unless the server allows http), without a user name, and its host must not be private, local or reserved.",
  "endpoint not available": "Take an endpoint that exists, and is not deleted.",
  "ordered immutable": "Delete the subscription, and make another.",
  "subscription deleted": "Make a new one.",
  "not replayable":
    "It is live, was replayed already, or its endpoint or subscription is deleted: look at it with deliveries.get.",
  "conflict":
    "Only a dead-lettered delivery at the head of an ordering key can be skipped: orderedKeys.list shows those.",
  "too many tokens": "Revoke those that nobody uses.",
  "bad cursor": "Pass the nextCursor of a page of the same list, unchanged.",
  "request too large": "Make the texts shorter: the server reads 65,536 bytes."
}

/** By what the token looks like. */
const unauthorized = (token: string): string =>
  /^hk_/.test(token)
    ? "This is a producer key (hk_...): the admin API takes admin tokens (HOOKRAIL_ADMIN_TOKEN)."
    : "Check the admin token (HOOKRAIL_ADMIN_TOKEN): it is unknown or revoked."

export const adviceFor = (
  operation: AdminOperation,
  status: number,
  problem: Problem,
  token: string
): string | undefined => {
  if (status === 401) return unauthorized(token)
  if (status === 404) return operation.endsWith(".list") ? "Check the base URL." : "Check the id."
  const title = problem.title ?? ""
  return Object.hasOwn(byTitle, title) ? byTitle[title] : undefined
}
