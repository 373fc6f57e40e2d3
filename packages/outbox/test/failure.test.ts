import { assert, describe, it } from "vitest"
import { DatabaseError } from "../src/errors.js"
import { failureOf } from "../src/executor/failure.js"
import { namesOf } from "../src/sql/names.js"

const failed = (error: unknown): DatabaseError => {
  const failure = failureOf("Claiming events", error, namesOf())
  assert.instanceOf(failure, DatabaseError)
  return failure
}

const coded = (code: string, message = "postgres://user:s3cret@host"): Error =>
  Object.assign(new Error(message), { code })

describe("a failure of the database", () => {
  it.each([
    ["28P01", "The password was refused."],
    ["3D000", "There is no such database."],
    ["42501", "INSERT, UPDATE and DELETE"],
    ["25006", "read-only"],
    ["ECONNREFUSED", "Nothing listens"],
    ["ENOTFOUND", "no host"],
    ["ERR_INVALID_URL", "written as %xx"],
    ["SQLITE_BUSY_SNAPSHOT", "Another program"],
    ["SQLITE_READONLY", "read-only"]
  ])("%s says what to do, and nothing of the URL", (code, text) => {
    const { code: kept, message } = failed(coded(code))
    assert.strictEqual(kept, code)
    assert.include(message, `(${code})`)
    assert.include(message, text)
    assert.notInclude(message, "s3cret")
  })

  it("of libsql has SQLite's own code", () => {
    assert.strictEqual(failed(coded("UNKNOWN_SQLITE_ERROR_1544")).code, "SQLITE_READONLY")
    const message = "ConnectionFailed(\"Unable to open connection to local database /nowhere/a.db: 14\")"
    assert.strictEqual(failed(new Error(message)).code, "SQLITE_CANTOPEN")
  })

  it("of node:sqlite has SQLite's own code", () => {
    const failure = failed(Object.assign(new Error("no"), { code: "ERR_SQLITE_ERROR", errcode: 14 }))
    assert.strictEqual(failure.code, "SQLITE_CANTOPEN")
    assert.strictEqual(failed(Object.assign(new Error("no"), { errcode: 1 })).code, "SQLITE_1")
  })

  it("whose code is unknown keeps the cause", () => {
    const cause = coded("XX000")
    const { message } = failed(new Error("wrapped", { cause }))
    assert.include(message, "failed in the database (XX000). See the cause")
    assert.strictEqual((failed(cause) as Error).cause, cause)
  })
})
