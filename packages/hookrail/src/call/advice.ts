/** What an error advises where its kind is not enough: about the base URL, and about answers that are not Hookrail's. */
import { excerpt, redact, type Secrets } from "../wire/redact.js"
import { shorten } from "../wire/shorten.js"

/** Where the requests go, as a message may show it. */
export interface Address {
  readonly baseUrl: string
  readonly from: "baseUrl" | Variable | "default"
  /** The variable that it would be from. */
  readonly variable: Variable
  /** What a 404 of a foreign server means. */
  readonly absent: string
}

type Variable = "HOOKRAIL_BASE_URL" | "HOOKRAIL_ADMIN_URL"

export const addressOf = (
  url: string,
  from: Address["from"],
  apiKey: string,
  variable: Variable = "HOOKRAIL_BASE_URL",
  absent: string = "There is no Hookrail at this path."
): Address => ({ baseUrl: shorten(redact(url, apiKey), 200), from, variable, absent })

/** Which base URL is in use, and where it is from. */
export const whichBaseUrl = ({ baseUrl, from, variable }: Address): string =>
  `The base URL is ${baseUrl}, ${from === "default" ? `the default: ${variable} is not set` : `from ${from}`}.`

/** What to do about an answer without a problem document, which no handler of Hookrail gives (protocol section 1.4). */
export const foreignAnswer = (status: number, body: string, address: Address): string => {
  // In the words of nginx and Apache, and of Go.
  const what = status === 400 && /plain HTTP|HTTP request to an HTTPS server/i.test(body)
    ? "The server speaks TLS on this port: begin the base URL with https://."
    : status === 404
    ? address.absent
    : "This is not how Hookrail answers: a proxy or firewall did, or another server."
  const [end] = /\/v1(\/events)?$/.exec(address.baseUrl) ?? []
  const but = end === undefined ? "" : ` Leave out ${end}: the client adds it.`
  return `${what} ${whichBaseUrl(address)}${but}`
}

/** Why a redirect is an error, and what to do about it. */
export const redirected = (location: string | undefined, secrets: Secrets): string => {
  if (location === undefined) return "A redirect is never followed"
  // Without user name, password and query, which may hold credentials.
  const to = location.replace(/[?#].*/s, "").replace(/\/\/.*@/, "//")
  const [, base] = /^(.*)\/v1\/events(\/[^/]*)?$/.exec(to) ?? []
  return `A redirect to ${excerpt(to, secrets)} is never followed${
    base ? `: set the base URL to ${excerpt(base, secrets)}` : ""
  }`
}
