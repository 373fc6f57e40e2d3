/** Makes a value that fits a JSON Schema, as a rule: patterns and unusual combinations may take an example of the user's. */

interface Json {
  readonly [keyword: string]: unknown
}

/** What stands for a text of a format. */
const formats: { readonly [format: string]: string } = {
  "date-time": "2026-01-02T03:04:05.000Z",
  date: "2026-01-02",
  time: "03:04:05Z",
  duration: "P1D",
  email: "jane@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  uuid: "0a0f3c62-7d4c-4c4e-9b52-2f6d3a1b8c9d"
}

/** A schema that has to contain itself has no example. */
const maxDepth = 50

export const exampleOf = (schema: Json): unknown => new Example(schema).of(schema, [])

class Example {
  constructor(private readonly root: Json) {}

  /** `above`: the schemas around this one, because a recursive one has to end somewhere. */
  of(schema: unknown, above: ReadonlyArray<unknown>): unknown {
    if (typeof schema !== "object" || schema === null) return {}
    if (above.length > maxDepth) return null
    const json = schema as Json
    const { $ref, allOf, const: constant, default: byDefault, enum: words, examples } = json
    if (Array.isArray(examples) && examples.length > 0) return examples[0]
    if ("example" in json) return json["example"]
    if ("const" in json) return constant
    if ("default" in json) return byDefault
    if (Array.isArray(words) && words.length > 0) return words[0]
    const inner = [...above, schema]
    if (typeof $ref === "string") return this.of(this.resolved($ref), inner)
    for (const choices of [json["anyOf"], json["oneOf"]]) {
      // One that does not lead back, if there is one.
      if (Array.isArray(choices) && choices.length > 0) {
        const choice: unknown = choices.find((choice) => !this.leadsBack(choice, inner)) ?? choices[0]
        return merged(this.of(choice, inner), this.ofType(json, inner))
      }
    }
    if (Array.isArray(allOf)) {
      return allOf.map((part) => this.of(part, inner)).reduce(merged, this.ofType(json, inner))
    }
    const made = this.ofType(json, inner)
    return made === undefined ? {} : made
  }

  private ofType(schema: Json, above: ReadonlyArray<unknown>): unknown {
    const types = [schema["type"]].flat()
    switch (
      types.find((type) => type !== "null") ?? types[0] ?? (schema["properties"] === undefined ? undefined : "object")
    ) {
      case "string":
        return text(schema)
      case "integer":
      case "number":
        return number(schema)
      case "boolean":
        return true
      case "null":
        return null
      case "array":
        return this.array(schema, above)
      case "object":
        return this.object(schema, above)
      default:
        return undefined
    }
  }

  private array({ items, maxItems, minItems, prefixItems }: Json, above: ReadonlyArray<unknown>): unknown {
    const values = Array.isArray(prefixItems) ? prefixItems.map((item) => this.of(item, above)) : []
    const least = typeof minItems === "number" ? minItems : 0
    const wanted = items === undefined || items === false || maxItems === 0 || this.leadsBack(items, above)
      ? least
      : Math.max(least, 1)
    while (values.length < Math.min(wanted, 100)) values.push(this.of(items, above))
    return values
  }

  private object({ properties, required }: Json, above: ReadonlyArray<unknown>): unknown {
    const needed = Array.isArray(required) ? required as ReadonlyArray<unknown> : []
    return Object.fromEntries(
      Object.entries(properties as object | undefined ?? {})
        .filter(([name, property]) => needed.includes(name) || !this.leadsBack(property, above))
        .map(([name, property]) => [name, this.of(property, above)])
    )
  }

  /** Whether a schema refers to one that it is within. */
  private leadsBack(schema: unknown, above: ReadonlyArray<unknown>): boolean {
    if (typeof schema !== "object" || schema === null) return false
    const { $ref, anyOf, items } = schema as Json
    if (typeof $ref === "string") return above.includes(this.resolved($ref))
    if (Array.isArray(anyOf)) return anyOf.every((choice) => this.leadsBack(choice, above))
    return items !== undefined && this.leadsBack(items, above)
  }

  private resolved(pointer: string): unknown {
    let found: unknown = this.root
    for (const token of pointer.replace(/^#\/?/, "").split("/").filter((token) => token !== "")) {
      found = (found as Json | undefined)?.[token.replaceAll("~1", "/").replaceAll("~0", "~")]
    }
    return found
  }
}

const merged = (one: unknown, other: unknown): unknown =>
  isPlain(one) && isPlain(other) ? { ...one, ...other } : one === undefined ? other : one

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const text = ({ format, maxLength, minLength }: Json): string => {
  const known = typeof format === "string" && Object.hasOwn(formats, format) ? formats[format] : undefined
  if (known !== undefined) return known
  const least = typeof minLength === "number" ? minLength : 0
  const most = typeof maxLength === "number" ? maxLength : Infinity
  return "text".padEnd(Math.min(least, 10_000), "x").slice(0, most)
}

const number = ({ exclusiveMaximum, exclusiveMinimum, maximum, minimum, multipleOf, type }: Json): number => {
  const step = typeof multipleOf === "number" && multipleOf > 0 ? multipleOf : type === "integer" ? 1 : undefined
  const above = typeof exclusiveMinimum === "number" ? exclusiveMinimum : undefined
  const least = typeof minimum === "number" ? minimum : -Infinity
  const most = typeof maximum === "number"
    ? maximum
    : typeof exclusiveMaximum === "number"
    ? exclusiveMaximum - (step ?? 1)
    : Infinity
  const wanted = Math.min(Math.max(1, least, above === undefined ? -Infinity : above + (step ?? 1)), most)
  return step === undefined ? wanted : Math.ceil(wanted / step) * step
}
