import { problem } from "../http/problem.js"
import type { Answer } from "../http/wire.js"

/** 401 for a missing and for a bad token alike (protocol section 3). */
export const tokenRequired = problem(401, "invalid credentials", "Authorization: Bearer <admin token> required")
/** 503: the token could not be looked up (protocol section 3). */
export const tokenUnverified = problem(503, "not ready", "could not verify credentials")
/** 403: the role is too low (protocol section 3). */
export const roleRequired = (role: string): Answer => problem(403, "insufficient role", `requires role ${role}`)
/** 415: the body is not declared as JSON (protocol section 5.1). */
export const jsonRequired = problem(415, "bad content-type", "application/json required")
/** 413: the body is over 65536 bytes (protocol section 5.1). */
export const requestTooLarge: Answer = problem(413, "request too large", "request body exceeds limit", {
  Connection: "close"
})
/** 400 with a detail of the route's own (protocol section 5.2). */
export const invalidBody = (detail: string): Answer => problem(400, "invalid body", detail)
/** 400: not exactly one JSON value of the right shape (protocol section 5.1). */
export const oneObject = invalidBody("expected exactly one JSON object")
/** 400: the cursor is not base64url (protocol section 5.1). */
export const badCursor = (detail = "cursor is not decodable"): Answer => problem(400, "bad cursor", detail)
/** 503 of a list (protocol section 5.1). */
export const listFailed = (title = "list failed"): Answer => problem(503, title, "query error")
/** 404 (protocol section 5.2). */
export const notFound = (what: string): Answer => problem(404, "not found", `no ${what} with that id`)
/** 503 of a write (protocol section 5.2). */
export const writeFailed = (verb: string, detail: string): Answer => problem(503, `${verb} failed`, detail)
