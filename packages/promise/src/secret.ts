/** A secret that nothing shows by accident. */

const hidden = "<redacted>"

/**
 * A secret of an endpoint, or an admin token, which the server shows once. Logs, `JSON.stringify` and `console.log` show
 * `<redacted>`; `reveal()` returns the text.
 *
 * @since 0.1.0
 */
export class Secret {
  readonly #text: string

  /** @internal */
  constructor(text: string) {
    this.#text = text
  }

  /** The text, to be stored where secrets are kept. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return hidden
  }

  toJSON(): string {
    return hidden
  }

  /** @internal */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Secret(${hidden})`
  }
}
