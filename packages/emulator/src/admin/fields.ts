import type { Exchange } from "../http/server.js"
import type { Answer } from "../http/wire.js"
import { skipBlanks } from "../json/jsonb.js"
import { eachMember, firstValue, unquote } from "../json/members.js"
import { jsonRequired, oneObject, requestTooLarge } from "./problems.js"

/** Most bytes of an admin body (protocol section 5.1). */
const maxBytes = 65_536

/** A member has the wrong type, which the server's decoder reports as a bad body. */
export class Mistyped extends Error {}

/** The members of an admin body as JSON text. `null` counts as absent, except in `raw`. */
export class Fields {
  constructor(private readonly members: ReadonlyMap<string, string>) {}

  /** A string. */
  string(name: string): string | undefined {
    const raw = this.present(name)
    if (raw === undefined) return undefined
    if (raw[0] !== "\"") throw new Mistyped()
    return unquote(raw)
  }

  /** An integer, without point or exponent, as Go requires. */
  integer(name: string): number | undefined {
    const raw = this.present(name)
    if (raw === undefined) return undefined
    if (!/^-?\d{1,18}$/.test(raw)) throw new Mistyped()
    return Number(raw)
  }

  /** A number. */
  number(name: string): number | undefined {
    const raw = this.present(name)
    if (raw === undefined) return undefined
    const value = Number(raw)
    if (!/^[-0-9]/.test(raw) || !Number.isFinite(value)) throw new Mistyped()
    return value
  }

  /** A boolean. */
  boolean(name: string): boolean | undefined {
    const raw = this.present(name)
    if (raw === undefined) return undefined
    if (raw !== "true" && raw !== "false") throw new Mistyped()
    return raw === "true"
  }

  /** The JSON text as sent, `null` included. */
  raw(name: string): string | undefined {
    return this.members.get(name)
  }

  private present(name: string): string | undefined {
    const raw = this.members.get(name)
    return raw === "null" ? undefined : raw
  }
}

const parse = (text: string, truncated: boolean): Fields | Answer => {
  const start = skipBlanks(text, 0)
  const end = firstValue(text, start, truncated)
  if (end === "unfinished") return requestTooLarge
  if (end === "malformed" || skipBlanks(text, end) !== text.length) return oneObject
  if (truncated) return requestTooLarge
  const members = new Map<string, string>()
  // Go's decoder reads a bare null as an object without members.
  if (text[start] === "n") return new Fields(members)
  if (text[start] !== "{") return oneObject
  eachMember(text, start, (name, value) => members.set(name.toLowerCase(), value))
  return new Fields(members)
}

/** Reads the body of an admin request: media type, size, then exactly one JSON value (protocol section 5.1). */
export const readFields = async (exchange: Exchange): Promise<Fields | Answer> => {
  const type = (exchange.header("content-type") ?? "").split(";")[0] ?? ""
  if (type.trim().toLowerCase() !== "application/json") return jsonRequired
  const body = await exchange.body(maxBytes)
  return parse(body.bytes.toString("latin1"), body.end === "over")
}
