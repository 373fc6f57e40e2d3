/** Removes secrets from foreign texts that become part of an error. */

/** Producer keys, admin tokens and endpoint secrets, by their prefixes (protocol section 3). */
const secret = /(hk|hkadm|whsec)_[A-Za-z0-9_-]+/g

/** Texts that may be shown to nobody, those that contain others first. */
export type Secrets = string | ReadonlyArray<string>

/** Redacts everything that looks like a Hookrail secret, and `known`, whatever it looks like. */
export const redact = (text: string, known: Secrets = []): string => {
  for (const it of [known].flat()) if (it !== "") text = text.split(it).join("***")
  return text.replace(secret, "$1_***")
}

/** The start of a body for an error message: at most 200 characters, one line, without secrets. */
export const excerpt = (body: string, known: Secrets): string => {
  // Redact before cutting: a secret that is cut in half would no longer be recognised.
  const text = redact(body, known).replace(/[\u0000-\u001f\u007f\s]+/g, " ").trim()
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
