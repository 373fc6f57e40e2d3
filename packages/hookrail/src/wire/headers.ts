/** Checks of the headers that a program adds to a request. */

/** Headers that the client writes itself, and the option that stands for each, if there is one. */
const owned: Readonly<Record<string, string>> = {
  accept: "",
  "accept-encoding": "",
  authorization: "apiKey",
  "content-encoding": "",
  "content-length": "",
  "content-type": "",
  host: "",
  "idempotency-key": "idempotencyKey",
  "user-agent": "appInfo",
  "x-hookrail-ordering-key": "orderingKey"
}

/** Headers that are about the connection, not about the request (RFC 9110, section 7.6.1), and `expect`, which fetch refuses. */
const hopByHop = /^(proxy-.*|connection|expect|keep-alive|te|trailer|transfer-encoding|upgrade)$/

/**
 * Copies the headers of a call, with names in lower case, onto those of the client. Returns why they are invalid, without any
 * value: it may be a secret.
 */
export const addHeaders = (target: Record<string, string>, given: unknown): string | undefined => {
  if (typeof given !== "object" || given === null || Symbol.iterator in given) {
    return "must be an object of texts: Object.fromEntries(headers)"
  }
  const added: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const key = name.toLowerCase()
    const option = Object.hasOwn(owned, key) ? owned[key] : undefined
    const reason = !/^(?!__)[!#$%&'*+\-.^`|~\w]{1,256}$/.test(key)
      ? "is not the name of a header"
      : option !== undefined
      ? `is written by the client${option && `: use the option ${option}`}`
      : hopByHop.test(key)
      ? "is about the connection"
      : typeof value !== "string" || !/^[\t\x20-\x7e]*$/.test(value)
      ? "must be ASCII without line breaks"
      : key in added
      ? "is given twice"
      : undefined
    if (reason !== undefined) return `${JSON.stringify(name.slice(0, 64))} ${reason}`
    added[key] = value as string
  }
  Object.assign(target, added)
  return undefined
}
