/** The client of a server, and what its errors mean for the command. */
import { Hookrail, isHookrailError } from "@hookrail/promise"
import type { Context } from "./context.js"
import { exitCodes, Failure } from "./exit.js"
import type { Producer } from "./settings.js"

/** Runs something with a client, which is closed afterwards. */
export const withClient = async <A>(
  { out, settings, signal, version }: Context,
  use: (client: Hookrail, producer: Producer) => Promise<A>
): Promise<A> => {
  const producer = await settings.producer()
  let client: Hookrail
  try {
    client = new Hookrail({
      apiKey: producer.apiKey,
      baseUrl: producer.baseUrl,
      onUnmatched: "ignore",
      appInfo: { name: "hookrail-cli", version },
      log: ({ level, message }) => {
        if (level === "warning" || level === "error") out.note(message)
      }
    })
  } catch (error) {
    throw failureOf(error, producer)
  }
  try {
    return await use(client, producer)
  } catch (error) {
    if (signal.aborted) {
      const { idempotencyKey, outcome } = Object(error) as Partial<ClientError>
      if (outcome === "unknown" && idempotencyKey !== undefined) {
        out.warn(`it is not known whether the event was stored: send it again with --key ${idempotencyKey}`)
      }
      signal.throwIfAborted()
    }
    throw failureOf(error, producer)
  } finally {
    await client.close()
  }
}

interface ClientError {
  readonly _tag: string
  readonly message: string
  readonly cause?: unknown
  readonly outcome?: string
  readonly eventId?: string
  readonly idempotencyKey?: string
  readonly status?: number
}

const codes: Readonly<Record<string, number>> = {
  HookrailConfigError: exitCodes.usage,
  InvalidPayloadError: exitCodes.usage,
  InvalidArgumentError: exitCodes.usage,
  AuthenticationError: exitCodes.authentication,
  ForbiddenError: exitCodes.authentication,
  NotFoundError: exitCodes.notFound,
  HookrailConnectionError: exitCodes.unreachable,
  HookrailTimeoutError: exitCodes.unreachable,
  ServerError: exitCodes.unreachable,
  AwaitTimeoutError: exitCodes.timedOut
}

/** The exit code and the line of an error of the client; what is not one stays as it is. */
export const failureOf = (error: unknown, producer: Producer): unknown => {
  if (!isHookrailError(error)) return error
  const known = error as ClientError
  const cause = known._tag === "RetryError" && isHookrailError(known.cause) ? known.cause as ClientError : known
  const code = known.outcome === "unknown" && known.idempotencyKey !== undefined
    ? exitCodes.unknownOutcome
    : codes[cause._tag] ?? exitCodes.failed
  return new Failure(code, wordsOf(known, cause, producer), {
    tag: known._tag,
    cause: cause === known ? undefined : cause._tag,
    status: cause.status,
    outcome: known.outcome,
    eventId: known.eventId,
    idempotencyKey: known.idempotencyKey
  })
}

const wordsOf = (error: ClientError, cause: ClientError, { baseUrl, source, urlSource }: Producer): string => {
  if (cause._tag === "HookrailConnectionError" && error.outcome !== "unknown") {
    return `there is no server at ${baseUrl} (${urlSource}): start it, or "hookrail dev" for one on this machine`
  }
  if (cause._tag === "AuthenticationError") {
    return `${baseUrl} does not accept the key (from ${source}): check it, or see "hookrail doctor"`
  }
  return error.message
}
