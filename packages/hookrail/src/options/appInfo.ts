/** The program that a client belongs to, in its user agent. */
import { Reason } from "./check.js"
import type { AppInfo } from "./model.js"

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/

const names = ["name", "version", "url"]

/** The words for the user agent, with a blank before them. */
export const appInfo = (value: unknown): string | Reason => {
  if (typeof value !== "object" || value === null) return new Reason("must be an object, such as { name: \"orders\" }")
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    return new Reason(`has no member ${JSON.stringify(unknown.slice(0, 64))}: give name, version, url`)
  }
  const { name, url, version } = value as AppInfo
  if (typeof name !== "string" || !token.test(name)) return new Reason(noToken("name"))
  if (version !== undefined && (typeof version !== "string" || !token.test(version))) {
    return new Reason(noToken("version"))
  }
  if (url !== undefined && (typeof url !== "string" || !/^https?:\/\/[!-'*-~]{1,256}$/.test(url))) {
    return new Reason("url must begin with http:// or https://, without blanks and parentheses")
  }
  return ` ${name}${version === undefined ? "" : `/${version}`}${url === undefined ? "" : ` (${url})`}`
}

const noToken = (member: string) =>
  `${member} must be a text of letters, digits and characters such as "-" and "." (it goes into the header user-agent)`
