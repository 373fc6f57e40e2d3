/** Detects objects that lose their content in JSON. */

/**
 * Effect's data types, by what marks them in Effect 3 (a symbol) and in Effect 4 (a name): JSON would expose their internals.
 * Recognised without importing Effect. More specific types come first: an `Option` of Effect 3 is an effect too.
 */
const effectValues: ReadonlyArray<readonly [symbol, string, string]> = ([
  ["Option", "an Option: unwrap it, for instance with Option.getOrNull"],
  ["Either", "an Either: unwrap it first"],
  ["Result", "a Result: unwrap it first"],
  ["Redacted", "a Redacted, which would be sent as <redacted>: unwrap it with Redacted.value if it is meant to go out"],
  ["Chunk", "a Chunk: convert it with Chunk.toReadonlyArray"],
  ["HashMap", "a HashMap: convert it, for instance with Object.fromEntries"],
  ["HashSet", "a HashSet: convert it with Array.from"],
  ["List", "a List: convert it with Array.from"],
  ["Duration", "a Duration: send a number, for instance from Duration.toMillis"],
  ["BigDecimal", "a BigDecimal: send it as a string, with BigDecimal.format"],
  ["Cause", "a Cause: send its text"],
  ["Layer", "a Layer"],
  ["Context", "a Context"],
  ["Fiber", "a Fiber"],
  ["Deferred", "a Deferred"],
  ["Ref", "a Ref"],
  ["Queue", "a Queue"],
  ["Effect", "an Effect: did you forget yield*?"],
  ["Stream", "a Stream: run it first"]
] as const).map(([name, what]) => [Symbol.for(`effect/${name}`), `~effect/${name}`, what])

/** Built-in types that `JSON.stringify` writes correctly, or that are checked elsewhere. */
const harmless = new Set(["Object", "Array", "Arguments", "Boolean", "Number", "String", "Date"])

/** Why an object that is neither a plain object nor an array cannot be sent as it is; `undefined` if it can. */
export const losesContent = (value: object): string | undefined => {
  if (value instanceof Error) {
    // An error with a `toJSON` defines its own content.
    return "toJSON" in value ? undefined : "an Error would be sent as {}: send its text"
  }
  for (const [symbol, name, what] of effectValues) {
    if (symbol in value || name in value) return `it is ${what}`
  }
  if (value instanceof Promise) return "a Promise would be sent as {}: await it first"
  if (value instanceof RegExp) return "a RegExp would be sent as {}: send its text"
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "binary data is not JSON: send it as base64"
  if (value instanceof Number && !Number.isFinite(value.valueOf())) return `${value} is not a JSON number`
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return undefined
  if (Object.keys(value).length > 0) return undefined
  // Maps, Blobs, Headers, generators and the like have their own type name, and no enumerable members.
  const type = Object.prototype.toString.call(value).slice(8, -1)
  const name = type === "Object" ? classOf(value) : harmless.has(type) ? undefined : type
  return name &&
    `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name} would be sent as {}: convert it to an object or an array`
}

/** The class of an instance, whose fields are then private. A plain object has none, in whichever realm it was made. */
const classOf = (value: object): string | undefined => {
  const prototype = Object.getPrototypeOf(value) as { readonly constructor?: unknown } | null
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined
  const { constructor } = prototype
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : "class instance"
}
