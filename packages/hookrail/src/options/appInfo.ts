/** The program that a client belongs to, in its user agent. */
import { Reason } from "./check.js"

const token = /^[!#$%&'*+\-.^`|~\w]{1,64}$/

const parts: Readonly<Record<string, RegExp>> = {
  name: token,
  version: token,
  url: /^https?:\/\/[!-'*-~]{1,256}$/
}

/** The words for the user agent, with a blank before them. */
export const appInfo = (value: unknown): string | Reason => {
  const given = { ...value as Record<string, unknown> }
  const { name, url, version } = given
  for (const part in given) {
    const form = Object.hasOwn(parts, part) ? parts[part] : undefined
    const text = given[part]
    if (text !== undefined && !(typeof text === "string" && form?.test(text))) return invalid
  }
  if (name === undefined) return invalid
  return ` ${name as string}${version === undefined ? "" : `/${version as string}`}${
    url === undefined ? "" : ` (${url as string})`
  }`
}

const invalid = new Reason("must be like { name: \"orders\" }, without blanks")
