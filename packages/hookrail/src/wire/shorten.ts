/** Bounds what a message quotes: a topic alone may have 2,048 characters. The fields of an error keep the whole text. */

const mark = "[...]"

/** A text of at most `limit` characters: what is longer loses its middle, because both ends tell texts apart. */
export const shorten = (text: string, limit: number = 120): string => {
  if (text.length <= limit) return text
  const head = Math.ceil((limit - mark.length) * 0.6)
  const tail = text.length - (limit - mark.length - head)
  // Without the halves of characters that the cuts may leave.
  return text.slice(0, head).replace(/[\ud800-\udbff]$/, "") + mark + text.slice(tail).replace(/^[\udc00-\udfff]/, "")
}

/** A short text in quotes, on one line. Callers without types may have passed anything for it. */
export const quote = (text: unknown): string => JSON.stringify(shorten(String(text)))

/** An id or a key: in quotes only if it could not be told from the words around it. */
export const name = (text: unknown): string => /^[\x21-\x7e]+$/.test(String(text)) ? shorten(String(text)) : quote(text)
