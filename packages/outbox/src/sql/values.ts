/** Reads the columns of rows: drivers give the same column as different types. */
import { RowError } from "../errors.js"
import type { Row } from "./dialect.js"

const wrong = (row: Row, column: string, expected: string): RowError =>
  new RowError({ column, reason: `${kindOf(row[column])} instead of ${expected}` })

const kindOf = (value: unknown): string =>
  value === undefined
    ? "nothing"
    : value === null
    ? "null"
    : typeof value === "object"
    ? "an object"
    : `a ${typeof value}`

export const textOf = (row: Row, column: string): string => {
  const value = row[column]
  if (typeof value === "string") return value
  throw wrong(row, column, "a text")
}

export const textOrNull = (row: Row, column: string): string | undefined =>
  row[column] === null ? undefined : textOf(row, column)

/** A number, which a driver may give as a text or a bigint. */
export const numberOf = (row: Row, column: string): number => {
  const value = row[column]
  const number = typeof value === "string" && value !== ""
    ? Number(value)
    : typeof value === "bigint"
    ? Number(value)
    : value
  if (typeof number === "number" && !Number.isNaN(number)) return number
  throw wrong(row, column, "a number")
}

export const numberOrNull = (row: Row, column: string): number | undefined =>
  row[column] === null ? undefined : numberOf(row, column)

/** SQLite has 0 and 1. */
export const booleanOf = (row: Row, column: string): boolean => {
  const value = row[column]
  if (typeof value === "boolean") return value
  if (value === 0 || value === 0n) return false
  if (value === 1 || value === 1n) return true
  throw wrong(row, column, "true or false")
}

/** Bytes, which a driver may give as a `Buffer`, an array of bytes, an `ArrayBuffer`, or Postgres's text form `\x...`. */
export const bytesOf = (row: Row, column: string): Uint8Array => {
  const value = row[column]
  if (value instanceof Uint8Array) return value
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (typeof value === "string" && /^\\x([0-9a-f]{2})*$/.test(value)) {
    const bytes = new Uint8Array(value.length / 2 - 1)
    for (let index = 0; index < bytes.length; index++) {
      bytes[index] = Number.parseInt(value.slice(2 * index + 2, 2 * index + 4), 16)
    }
    return bytes
  }
  throw wrong(row, column, "bytes")
}
