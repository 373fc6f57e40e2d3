/** Files of environment variables, such as `.env`. */
import { readFile, rename, stat, writeFile } from "node:fs/promises"
import { exitCodes, Failure } from "./exit.js"

type Variables = Readonly<Record<string, string>>

const assignment = /^(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)(\s*=\s*)(.*)$/

const unquoted = (text: string): string => {
  const value = text.trim()
  const [, double] = /^"((?:[^"\\]|\\.)*)"/.exec(value) ?? []
  if (double !== undefined) return double.replace(/\\n/g, "\n").replace(/\\(.)/g, "$1")
  const [, single] = /^'([^']*)'/.exec(value) ?? []
  return single ?? value.replace(/\s+#.*$/, "")
}

/** The variables of such a file. */
export const parseEnv = (text: string): Variables => {
  const variables: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const [, , name, , value] = assignment.exec(line) ?? []
    if (name !== undefined && value !== undefined) variables[name] = unquoted(value)
  }
  return variables
}

/** The text with new values: lines of these variables are replaced, new ones appended, and all others stay as they are. */
export const updateEnv = (text: string, variables: Variables): string => {
  const eol = text.includes("\r\n") ? "\r\n" : "\n"
  const missing = new Map(Object.entries(variables))
  const lines = text === "" ? [] : text.split(/\r?\n/)
  if (lines.at(-1) === "") lines.pop()
  const updated = lines.map((line) => {
    const [, before = "", name = "", equals = ""] = assignment.exec(line) ?? []
    const value = variables[name]
    if (value === undefined) return line
    missing.delete(name)
    return `${before}${name}${equals.trim()}${value}`
  })
  for (const [name, value] of missing) updated.push(`${name}=${value}`)
  return updated.map((line) => line + eol).join("")
}

const codeOf = (error: unknown): string => String(Object(error).code ?? Object(error).message)

export const readEnvFile = async (path: string): Promise<Variables> => {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new Failure(exitCodes.usage, `cannot read ${path} (${codeOf(error)}): give the path of a file of variables`)
  })
  return parseEnv(text)
}

/** Writes variables into a file, which nobody else may read if it is new. Returns whether anything changed. */
export const writeEnvFile = async (path: string, variables: Variables): Promise<boolean> => {
  try {
    const before = await readFile(path, "utf8").catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return undefined
      throw error
    })
    const after = updateEnv(before ?? "", variables)
    if (after === before) return false
    // At once, so that a program that reads it never finds half of it; but not in place of a link.
    const mode = before === undefined ? 0o600 : (await stat(path)).mode & 0o777
    await replaceFile(path, after, mode)
    return true
  } catch (error) {
    throw new Failure(exitCodes.usage, `cannot write ${path} (${codeOf(error)}): check the folder and its permissions`)
  }
}

/** Writes a file at once: it has the old or the new content, whatever happens. */
export const replaceFile = async (path: string, text: string, mode: number): Promise<void> => {
  const { realpath } = await import("node:fs/promises")
  const target = await realpath(path).catch(() => path)
  const temporary = `${target}.${process.pid}.tmp`
  await writeFile(temporary, text, { mode })
  await rename(temporary, target)
}
