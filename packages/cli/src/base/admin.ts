/** The admin client of a server, and what its errors mean for the command. */
import { isHookrailError } from "@hookrail/promise"
import { HookrailAdmin } from "@hookrail/promise/admin"
import type { Context } from "./context.js"
import { exitCodes, Failure, usage } from "./exit.js"
import type { Admin } from "./settings.js"

/** Runs something with an admin client, which is closed afterwards. */
export const withAdmin = async <A>(
  { out, settings, signal, version }: Context,
  use: (admin: HookrailAdmin, where: Admin) => Promise<A>
): Promise<A> => {
  const where = await settings.admin()
  let admin: HookrailAdmin
  try {
    admin = new HookrailAdmin({
      adminToken: where.token,
      baseUrl: where.url,
      appInfo: { name: "hookrail-cli", version },
      log: ({ level, message }) => {
        if (level === "warning" || level === "error") out.note(message)
      }
    })
  } catch (error) {
    throw adminFailureOf(error, where)
  }
  try {
    return await use(admin, where)
  } catch (error) {
    signal.throwIfAborted()
    throw adminFailureOf(error, where)
  } finally {
    await admin.close()
  }
}

interface AdminError {
  readonly _tag: string
  readonly message: string
  readonly cause?: unknown
  readonly outcome?: string
  readonly status?: number
}

const codes: Readonly<Record<string, number>> = {
  HookrailConfigError: exitCodes.usage,
  InvalidArgumentError: exitCodes.usage,
  BadRequestError: exitCodes.usage,
  AuthenticationError: exitCodes.authentication,
  ForbiddenError: exitCodes.authentication,
  InsufficientRoleError: exitCodes.authentication,
  NotFoundError: exitCodes.notFound,
  SecretLostError: exitCodes.unknownOutcome,
  HookrailConnectionError: exitCodes.unreachable,
  HookrailTimeoutError: exitCodes.unreachable,
  ServerError: exitCodes.unreachable
}

/** Whether the server is away for now, and the same call may work later. */
export const isAway = (error: unknown): boolean => codeOf(error) === exitCodes.unreachable

const rootOf = (error: AdminError): AdminError =>
  error._tag === "RetryError" && isHookrailError(error.cause) ? error.cause as AdminError : error

const codeOf = (error: unknown): number | undefined =>
  isHookrailError(error) ? codes[rootOf(error as AdminError)._tag] ?? exitCodes.failed : undefined

const adminFailureOf = (error: unknown, { source, url, urlSource }: Admin): unknown => {
  if (!isHookrailError(error)) return error
  const known = error as AdminError
  const cause = rootOf(known)
  const isUnknown = known.outcome === "unknown" && (codeOf(error) === exitCodes.unreachable)
  const message = cause._tag === "HookrailConnectionError" && !isUnknown
    ? `there is no admin API at ${url} (${urlSource}): start it, or check HOOKRAIL_ADMIN_URL`
    : cause._tag === "AuthenticationError"
    ? `${url} does not accept the admin token (from ${source}): check it, or see "hookrail doctor"`
    : known.message
  return new Failure(isUnknown ? exitCodes.unknownOutcome : codeOf(error) ?? exitCodes.failed, message, {
    tag: known._tag,
    cause: cause === known ? undefined : cause._tag,
    status: cause.status,
    outcome: known.outcome
  })
}

/** At most so many of a list. */
export const take = async <A>(list: AsyncIterable<A>, limit: number): Promise<ReadonlyArray<A>> => {
  const rows: Array<A> = []
  if (limit <= 0) return rows
  for await (const row of list) {
    rows.push(row)
    if (rows.length >= limit) break
  }
  return rows
}

/** A time: as ISO 8601, or how long ago, such as `2h`. */
export const timeOf = (name: string, text: string | undefined): Date | undefined => {
  if (text === undefined) return undefined
  const [, number, unit] = /^(\d+)\s*(s|m|h|d)$/.exec(text.trim()) ?? []
  if (number !== undefined) {
    const millis = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as "s" | "m" | "h" | "d"]
    return new Date(Date.now() - Number(number) * millis)
  }
  const time = new Date(text)
  if (!Number.isNaN(time.getTime())) return time
  throw usage(
    `${name} must be a time such as 2026-11-24T08:00:00Z, or how long ago, such as 2h, but is ${JSON.stringify(text)}`
  )
}
