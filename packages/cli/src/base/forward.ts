/** Where a server on this machine sends its webhooks: the values of `--forward`. */
import { usage } from "./exit.js"

export interface Target {
  readonly topic: string
  readonly url: string
}

/** `localhost:3000/webhooks` and `3000` are meant for this machine. */
const urlOf = (text: string): string => {
  const full = /^:?\d+(\/|$)/.test(text)
    ? `http://localhost:${text.replace(/^:/, "")}`
    : /^[a-z]+:\/\//i.test(text)
    ? text
    : `http://${text}`
  if (URL.canParse(full) && /^https?:/.test(full)) return full
  throw usage(`--forward must be a URL such as http://localhost:3000/webhooks, but is ${JSON.stringify(text)}`)
}

/** A value is a URL, or `topic=url`; the topics are for those that name none. */
export const targetsOf = (
  forward: ReadonlyArray<string>,
  topics: ReadonlyArray<string> = []
): ReadonlyArray<Target> =>
  forward.flatMap((text) => {
    const [, own, url] = /^([^=:/]+)=(.+)$/.exec(text) ?? []
    return (own !== undefined ? [own] : topics.length === 0 ? ["*"] : topics)
      .map((topic) => ({ topic, url: urlOf(url ?? text) }))
  })
