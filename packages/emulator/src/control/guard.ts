import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { problem } from "../http/problem.js"
import type { Answer } from "../http/wire.js"

/** 403: the request came under a name that is not this machine's own, as after a DNS rebinding. */
export const wrongHost = problem(403, "wrong host", "the page answers only to 127.0.0.1, localhost and [::1]")
/** 403: a page of another origin made the request. */
export const foreignPage = problem(403, "foreign origin", "only the emulator's own page may make this call")
/** 401: no token, or a wrong one. */
export const pageTokenRequired = problem(
  401,
  "token required",
  "Authorization: Bearer <page token> required; it is in the URL that the emulator printed",
  { "WWW-Authenticate": "Bearer" }
)

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/**
 * Keeps other sites out of the page's port. A site that the user visits can make the browser send requests here, and with a
 * name of its own that resolves to 127.0.0.1 (DNS rebinding) it could even read the answers. So: the `Host` must be this
 * machine, `Origin` and `Sec-Fetch-Site` must not name another site, and calls need the token in `Authorization`, which
 * browsers never add by themselves. Not in a cookie: cookies know no ports, so every other server on this machine, such as
 * the receiver under development, would get it.
 */
export class Guard {
  private readonly hosts: ReadonlySet<string>
  private readonly expected: Buffer

  constructor(port: number, token: string) {
    this.hosts = new Set(["127.0.0.1", "localhost", "[::1]"].map((name) => `${name}:${port}`))
    this.expected = digest(token)
  }

  /** Refuses a request that another site may have caused. `document` allows a link from elsewhere to open the page. */
  refuse(request: IncomingMessage, document: boolean): Answer | undefined {
    const { headers } = request
    const host = headers.host?.toLowerCase() ?? ""
    if (!this.hosts.has(host)) return wrongHost
    const { origin } = headers
    if (origin !== undefined && origin !== `http://${host}`) return foreignPage
    const site = headers["sec-fetch-site"]
    if (site === undefined || site === "same-origin") return undefined
    const opens = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document"
    // "none": the user typed or pasted the URL. Another port of this machine is "same-site", and as foreign as any.
    return document && opens ? undefined : foreignPage
  }

  /** Whether a request has the token. Takes the same time wherever they differ. */
  admits(request: IncomingMessage): boolean {
    const given = /^Bearer ([A-Za-z0-9_-]+)$/.exec(request.headers.authorization ?? "")?.[1]
    return given !== undefined && timingSafeEqual(digest(given), this.expected)
  }
}
