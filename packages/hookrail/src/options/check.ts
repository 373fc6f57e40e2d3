/**
 * Checks of options, without Effect: each returns the validated value, or the reason why it is invalid.
 *
 * TypeScript checks options at compile time. These checks are for untyped callers, and for what types do not express: a finite
 * number, a name that exists.
 */

/** Why a value is invalid: the second half of a sentence that begins with the name of the option. */
export class Reason {
  constructor(readonly text: string) {}
}

/** An invalid option. */
export class Fault {
  constructor(readonly option: string, readonly reason: string) {}
}

/**
 * Returns the validated value of an option, or the reason why it is invalid.
 *
 * @since 0.1.0
 * @category options
 */
export type Check<out A> = (value: unknown) => A | Reason

/**
 * One check per option. An option without a check does not compile.
 *
 * @since 0.1.0
 * @category options
 */
export type Checks<Options> = { readonly [K in keyof Options]-?: Check<unknown> }

/**
 * The values that a set of checks returns.
 *
 * @since 0.1.0
 * @category options
 */
export type Checked<C> = { readonly [K in keyof C]: C[K] extends Check<infer A> ? Exclude<A, Reason> : never }

// ---------------------------------------------------------------------------------------------------------------
// one value
// ---------------------------------------------------------------------------------------------------------------

/**
 * Makes an option optional.
 *
 * @since 0.1.0
 * @category options
 */
export const withDefault = <A>(check: Check<A>, fallback: NoInfer<A>): Check<A> => (value) =>
  value === undefined ? fallback : check(value)

/**
 * Accepts any value: the option is checked elsewhere.
 *
 * @since 0.1.0
 * @category options
 */
export const anything = <A>(value: unknown): A => value as A

const numberThat = (holds: (value: number) => boolean, what: string): Check<number> => {
  const reason = new Reason(`must be ${what}`)
  return (value) => typeof value === "number" && holds(value) ? value : reason
}

/**
 * A whole number of at least `least`.
 *
 * @since 0.1.0
 * @category options
 */
export const wholeNumber = (least: number = 1): Check<number> =>
  numberThat((value) => Number.isSafeInteger(value) && value >= least, `a whole number, ${least} or more`)

/** A finite number above 0. */
export const positiveNumber: Check<number> = numberThat((value) => value > 0 && value < Infinity, "a number above 0")

/**
 * `true` or `false`.
 *
 * @since 0.1.0
 * @category options
 */
export const flag: Check<boolean> = (value) => typeof value === "boolean" ? value : mustBeFlag

const mustBeFlag = new Reason("must be true or false")

/**
 * One of the given words.
 *
 * @since 0.1.0
 * @category options
 */
export const oneOf = <const Word extends string>(...words: ReadonlyArray<Word>): Check<Word> => {
  const quoted = words.map((word) => JSON.stringify(word))
  const reason = new Reason(`must be ${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`)
  return (value) => words.includes(value as Word) ? value as Word : reason
}

export const callable = <F>(value: unknown): F | Reason => typeof value === "function" ? value as F : mustBeFunction

const mustBeFunction = new Reason("must be a function")

/** The topic pattern of a webhook handler. The server takes a star anywhere else literally, which is never intended. */
export const topicPattern: Check<string> = (value) => {
  const star = typeof value === "string" ? value.indexOf("*") : 0
  const fits = value === "*" || (typeof value === "string" && value !== "" &&
    (star < 0 || (star > 1 && star === value.length - 1 && value[star - 1] === ".")))
  return fits ? value as string : noPattern
}

const noPattern = new Reason("must be a topic, a prefix followed by \".*\" (as in \"orders.*\"), or \"*\"")

// ---------------------------------------------------------------------------------------------------------------
// names
// ---------------------------------------------------------------------------------------------------------------

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "")

/** The Levenshtein distance. */
const distance = (a: string, b: string): number => {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = above[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, above[column]! + 1, current[column - 1]! + 1))
    }
    above = current
  }
  return above[b.length]!
}

/** The name that was probably meant. A very long word matches none. */
export const closest = (word: string, names: ReadonlyArray<string>): string | undefined => {
  const wanted = plain(word)
  if (wanted.length < 3 || wanted.length > 40) return undefined
  let found: string | undefined
  let least = wanted.length * 0.45
  for (const name of names) {
    const known = plain(name)
    // "url" matches "baseUrl", and "timeoutMs" matches "timeout", but a smaller distance wins.
    const part = known.includes(wanted) || (known.length > 2 && wanted.includes(known))
    const far = part && known !== wanted ? 1 : distance(wanted, known)
    if (far <= least) [found, least] = [name, far - 0.1]
  }
  return found
}

/** What to say after a name that does not exist: which one was probably meant, or which there are. */
export const suggestion = (name: string, names: ReadonlyArray<string>): string => {
  const meant = closest(name, names)
  return meant === undefined ? `there are ${names.join(", ")}` : `did you mean ${meant}?`
}

/** The reason for an option that does not exist. */
export const unknownName = (name: string, names: ReadonlyArray<string>): string =>
  `there is no such option: ${suggestion(name, names)}`

// ---------------------------------------------------------------------------------------------------------------
// all options
// ---------------------------------------------------------------------------------------------------------------

/** Checks the names of the options first: a misspelt name explains why an option seems to be missing. */
export const readOptions = <Options extends object, C extends Checks<Options>>(
  given: Options,
  checks: C
): Checked<C> | Fault => {
  if (typeof given !== "object" || given === null) return new Fault("options", "must be an object")
  const names = Object.keys(checks)
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) return new Fault(name, unknownName(name, names))
  }
  const values: Record<string, unknown> = {}
  for (const name of names) {
    const value = (checks as unknown as Checks<Record<string, unknown>>)[name]!(
      (given as Readonly<Record<string, unknown>>)[name]
    )
    if (value instanceof Reason) return new Fault(name, value.text)
    values[name] = value
  }
  return values as Checked<C>
}
