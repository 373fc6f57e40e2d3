/** What an error advises where its kind is not enough: about the base URL, and about answers that are not Hookrail's. */
import { excerpt, redact } from "../wire/redact.js"
import { shorten } from "../wire/shorten.js"

/** Where the requests go, as a message may show it. */
export interface Address {
  readonly baseUrl: string
  /** Where the base URL is from. */
  readonly source: "option" | "environment" | "default"
}

export const addressOf = (origin: string, prefix: string, source: Address["source"], apiKey: string): Address => ({
  baseUrl: shorten(redact(origin + prefix, apiKey), 200),
  source
})

/** Which base URL is in use, and where to change it. */
export const whichBaseUrl = ({ baseUrl, source }: Address): string =>
  source === "option"
    ? `The base URL is ${baseUrl}, from the option baseUrl.`
    : source === "environment"
    ? `The base URL is ${baseUrl}, from HOOKRAIL_BASE_URL.`
    : `The base URL is ${baseUrl}, the default: if the server is elsewhere, set HOOKRAIL_BASE_URL or the option baseUrl.`

/** Which base URL is in use, where an answer makes it doubtful. It may hold a part of the path that the client adds itself. */
export const wrongAddress = (address: Address): string => {
  const [end] = /\/v1(\/events)?$/.exec(address.baseUrl) ?? []
  return end === undefined
    ? whichBaseUrl(address)
    : `${whichBaseUrl(address)} Leave out ${end} at its end: the client adds that itself.`
}

/** What servers say that are spoken to in plain HTTP on a port for TLS: nginx and Apache, then Go. */
const wantsTls = (status: number, body: string): boolean =>
  status === 400 && /plain HTTP|HTTP request to an HTTPS server/i.test(body)

/** What to do about an answer without a problem document, which no handler of Hookrail gives (protocol section 1.4). */
export const foreignAnswer = (status: number, body: string, address: Address): string => {
  if (wantsTls(status, body)) {
    return `The server speaks TLS on this port: begin the base URL with https://. ${whichBaseUrl(address)}`
  }
  if (status === 404) return `There is no Hookrail at this path. ${wrongAddress(address)}`
  return `This is not how Hookrail answers: a proxy or firewall in front of it did, or another server. ${
    whichBaseUrl(address)
  }`
}

/** Why a redirect is an error, and what to do about it. */
export const redirected = (location: string | undefined, baseUrl: string | undefined, apiKey: string): string => {
  if (location === undefined) return "A redirect is never followed: set the base URL to where it leads"
  let url: URL
  try {
    url = new URL(location, baseUrl)
  } catch {
    return `A redirect is never followed, and where it leads is no URL: ${excerpt(location, apiKey)}`
  }
  // Without user name, password and query, which may hold credentials.
  const target = url.origin === "null" ? url.protocol : url.origin + url.pathname
  const [, base] = /^(.*)\/v1\/events(?:\/[^/]*)?$/.exec(target) ?? []
  const show = (text: string) => shorten(redact(text, apiKey), 200)
  return base === undefined
    ? `A redirect to ${
      show(target)
    } is never followed: set the base URL to Hookrail itself, and let requests reach it without a login`
    : `A redirect to ${show(target)} is never followed: set the base URL to ${show(base)}`
}

/** What may have happened where the connection broke: a server that speaks TLS drops a request in plain HTTP. */
export const brokenOff = ({ baseUrl }: Address): string | undefined =>
  /^http:\/\/[^/]*443(\/|$)/.test(baseUrl)
    ? "If the server speaks TLS on this port, begin the base URL with https://."
    : undefined
