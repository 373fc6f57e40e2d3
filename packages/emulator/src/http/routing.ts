import { Query, unescapeBytes, validEscapes } from "./query.js"
import { type Answer, empty, plain } from "./wire.js"

/** A method and a path, in which `{name}` matches one non-empty segment. */
export interface Route<Name extends string> {
  readonly name: Name
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  readonly path: string
}

/** A request matched to a route. */
export interface Match<Name extends string> {
  readonly name: Name
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
}

const notFound = plain(404, "404 page not found")

const badRequest: Answer = {
  status: 400,
  headers: { "Content-Type": "text/plain; charset=utf-8", Connection: "close" },
  body: "400 Bad Request"
}

const unescape = (segment: string): string => segment.includes("%") ? unescapeBytes(segment).toString("utf8") : segment

/** A path without empty and dot segments; a slash at the end stays (protocol section 1.1). */
export const cleanPath = (path: string): string => {
  const segments: Array<string> = []
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop()
    else if (segment !== "" && segment !== ".") segments.push(segment)
  }
  const clean = "/" + segments.join("/")
  return path.endsWith("/") && clean !== "/" ? clean + "/" : clean
}

const redirect = (method: string, location: string): Answer => {
  const html = { Location: location, "Content-Type": "text/html; charset=utf-8" }
  if (method === "GET") {
    const href = location.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
      .replaceAll("\"", "&#34;").replaceAll("'", "&#39;")
    return { status: 307, headers: html, body: `<a href="${href}">Temporary Redirect</a>.\n\n` }
  }
  return empty(307, method === "HEAD" ? html : { Location: location })
}

const matchPath = (
  pattern: ReadonlyArray<string>,
  segments: ReadonlyArray<string>
): Readonly<Record<string, string>> | undefined => {
  if (pattern.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = unescape(segments[index]!)
    if (part.startsWith("{")) {
      if (segment === "") return undefined
      params[part.slice(1, -1)] = segment
    } else if (part !== segment) {
      return undefined
    }
  }
  return params
}

/**
 * Makes the router of one port. Requests without a route are answered as by Go's router, before authentication: 404, 405
 * with `Allow`, or a redirect to the cleaned path (protocol section 1.1).
 */
export const makeRouter = <Name extends string>(
  routes: ReadonlyArray<Route<Name>>
): (method: string, target: string) => Match<Name> | Answer => {
  const table = routes.map((route) => ({ ...route, pattern: route.path.split("/") }))
  return (method, target) => {
    if (method === "OPTIONS" && target === "*") return empty(200)
    // The target is a host, without a path.
    if (method === "CONNECT" && !target.startsWith("/")) return notFound
    const local = target.replace(/^https?:\/\/[^/?]*/, "")
    const mark = local.indexOf("?")
    const path = mark < 0 ? local : local.slice(0, mark)
    const search = mark < 0 ? "" : local.slice(mark + 1)
    if (!path.startsWith("/") || !validEscapes(path)) return badRequest
    const clean = cleanPath(path)
    if (clean !== path) return redirect(method, search === "" ? clean : `${clean}?${search}`)
    const segments = path.split("/")
    const allowed = new Set<string>()
    for (const route of table) {
      const params = matchPath(route.pattern, segments)
      if (params === undefined) continue
      if (route.method === method || (route.method === "GET" && method === "HEAD")) {
        return { name: route.name, params, query: new Query(search) }
      }
      allowed.add(route.method)
      if (route.method === "GET") allowed.add("HEAD")
    }
    if (allowed.size === 0) return notFound
    return plain(405, "Method Not Allowed", { Allow: [...allowed].sort().join(", ") })
  }
}
