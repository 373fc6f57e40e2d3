/** Texts in messages. What they quote is bounded: a topic alone may have 2,048 characters. The fields of an error keep the whole text. */

/** A text of at most `limit` characters: what is longer loses its middle, because both ends tell texts apart. */
export const shorten = (text: string, limit: number = 120): string => {
  const half = (limit - 5) >> 1
  return text.length > limit ? `${text.slice(0, half)}[...]${text.slice(-half)}` : text
}

/** A short text in quotes, on one line. Callers without types may have passed anything for it. */
export const quote = (text: unknown): string => JSON.stringify(shorten(String(text)))

/** Ends a sentence, unless it is a question. */
export const ended = (text: string): string => text.endsWith("?") ? text : `${text}.`
