/** Payloads from files, from the standard input and from the command line. */
import { readFile } from "node:fs/promises"
import { exitCodes, Failure, usage } from "./exit.js"

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

/** The bytes of a file, or of the standard input for `-`. */
export const readInput = async (path: string, stdin: NodeJS.ReadStream = process.stdin): Promise<Buffer> => {
  if (path === "-") {
    if (stdin.isTTY) {
      throw usage("- is the standard input, which is a terminal here: pipe something into it, or name a file")
    }
    const chunks: Array<Buffer> = []
    for await (const chunk of stdin) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }
  return readFile(path).catch((error: unknown) => {
    throw new Failure(exitCodes.usage, `cannot read ${path} (${String(Object(error).code)}): check the path`)
  })
}

const named = (path: string): string => path === "-" ? "the standard input" : path

export const parseJson = (text: string, what: string): Json => {
  try {
    return JSON.parse(text.replace(/^\ufeff/, "")) as Json
  } catch (error) {
    // V8 quotes the text; its position is enough.
    const [, position] = / position (\d+)/.exec(String(error)) ?? []
    throw usage(`${what} is not JSON${position === undefined ? "" : `: see character ${Number(position) + 1}`}`)
  }
}

/** The JSON of a payload. */
export const jsonOf = (payload: Json, indent?: number): string => {
  try {
    return JSON.stringify(payload, undefined, indent)
  } catch {
    throw usage("the payload is nested too deeply")
  }
}

/** What is not UTF-8 is no JSON: to replace its bytes would change the payload without a word. */
const textOf = (bytes: Buffer, what: string): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    throw usage(`${what} is not UTF-8: convert it first, as by iconv`)
  }
}

/** The payload on the command line. */
export const parsePayload = (text: string): Json => {
  if (/^@\S/.test(text)) throw usage(`the payload is not JSON: a file is given by --from ${text.slice(1)}`)
  try {
    return parseJson(text, "the payload")
  } catch (error) {
    const { message } = error as Failure
    throw usage(
      `${message}${
        message.endsWith("JSON") ? ":" : ", and"
      } it must be like '{"order_id":"o_1"}'; a text needs its double quotes`
    )
  }
}

export const readJson = async (path: string): Promise<Json> =>
  parseJson(textOf(await readInput(path), named(path)), named(path))

/** The steps of `customer.name`, `items[0].price` and `items.0.price`; a backslash keeps a dot. */
const stepsOf = (path: string): ReadonlyArray<string | number> => {
  const steps: Array<string | number> = []
  for (const [, index, name] of path.matchAll(/\[(\d+)\]|((?:\\.|[^.[\]\\])+)|\./g)) {
    if (index !== undefined) steps.push(Number(index))
    else if (name !== undefined) steps.push(name.replace(/\\(.)/g, "$1"))
  }
  return steps
}

type Mutable = { [name: string]: unknown } | Array<unknown>

const isContainer = (value: unknown): value is Mutable => typeof value === "object" && value !== null

/** Sets one place of a payload, and makes the objects and arrays on the way. */
const setIn = (target: Mutable, steps: ReadonlyArray<string | number>, value: Json): void => {
  let place = target
  for (const [n, step] of steps.entries()) {
    const key = Array.isArray(place) ? Number(step) : String(step)
    if (Array.isArray(place) && !(Number.isInteger(key) && Number(key) <= place.length)) {
      throw usage(
        `--set: there is a list at ${
          JSON.stringify(steps.slice(0, n).join("."))
        }, so give an index up to ${place.length}`
      )
    }
    const holder = place as { [name: string]: unknown }
    if (n === steps.length - 1) {
      Object.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true })
      return
    }
    let next = Object.hasOwn(holder, key) ? holder[key] : undefined
    if (!isContainer(next)) {
      next = typeof steps[n + 1] === "number" ? [] : {}
      Object.defineProperty(holder, key, { value: next, enumerable: true, writable: true, configurable: true })
    }
    place = next as Mutable
  }
}

/** JSON if it is some, and otherwise text: `42`, `true`, `null`, `{"a":1}`, `"42"`, and everything else as it is. */
const valueOf = (text: string): Json => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

const split = (flag: string, assignment: string): readonly [ReadonlyArray<string | number>, string] => {
  const at = assignment.indexOf("=")
  const steps = stepsOf(assignment.slice(0, Math.max(at, 0)))
  if (steps.length > 0) return [steps, assignment.slice(at + 1)]
  throw usage(`${flag} must be like order_id=o_9 or customer.name=x, but is ${JSON.stringify(assignment)}`)
}

const clone = (payload: Json): unknown => {
  try {
    return structuredClone(payload)
  } catch {
    throw usage("the payload is nested too deeply")
  }
}

/** The payload with what `--set` and `--set-string` say. */
export const withSettings = (
  payload: Json | undefined,
  set: ReadonlyArray<string>,
  setString: ReadonlyArray<string>
): Json => {
  if (set.length + setString.length === 0) return payload ?? {}
  const base = clone(payload ?? {})
  if (!isContainer(base)) throw usage("--set needs a payload that is an object or a list")
  for (const assignment of set) {
    const [steps, text] = split("--set", assignment)
    setIn(base as Mutable, steps, valueOf(text))
  }
  for (const assignment of setString) {
    const [steps, text] = split("--set-string", assignment)
    setIn(base as Mutable, steps, text)
  }
  return base as Json
}
