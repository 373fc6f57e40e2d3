/** Captured webhooks: verifying them, with a diagnosis, and making some. */
import { explainMismatch, SignatureError, verifyRequest, WebhookVerificationError } from "@hookrail/promise/verify"
import type { Context, Run } from "../base/context.js"
import { millisOf } from "../base/duration.js"
import { exitCodes, Failure, usage } from "../base/exit.js"
import { oneLine } from "../base/output.js"
import { type Json, parsePayload, readInput, readJson, withSettings } from "../base/payload.js"

// A captured request ------------------------------------------------------------------------------------------------

export interface Captured {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

const headersOf = (lines: ReadonlyArray<string>): Record<string, string> => {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const at = line.indexOf(":")
    if (at > 0) headers[line.slice(0, at).trim().toLowerCase()] ??= line.slice(at + 1).trim()
  }
  return headers
}

/** An HTTP request as text: a request line, which may be missing, headers, an empty line, and the bytes of the body. */
const fromHttp = (bytes: Buffer): Captured | undefined => {
  const text = bytes.toString("latin1")
  const end = /\r?\n\r?\n/.exec(text)
  if (end === null) return undefined
  const lines = text.slice(0, end.index).split(/\r?\n/)
  if (lines[0] !== undefined && /^[A-Z]+ \S+( HTTP\/[\d.]+)?$/.test(lines[0])) lines.shift()
  if (lines.length === 0 || !lines.every((line) => /^[!-9;-~]+:/.test(line))) return undefined
  const headers = headersOf(lines)
  const body = bytes.subarray(end.index + end[0].length)
  // An editor or a shell adds a line end, which was not sent.
  const length = Number(headers["content-length"])
  return { headers, body: length < body.length ? body.subarray(0, length) : body }
}

const bodyOf = (value: Readonly<Record<string, unknown>>): Uint8Array => {
  const body = value.body ?? value.rawBody ?? ""
  if (typeof body !== "string") {
    throw usage(
      "the body of the captured request is JSON, so its bytes are lost: capture it as text, before any parser"
    )
  }
  return Buffer.from(body, value.isBase64Encoded === true ? "base64" : "utf8")
}

/** An object with headers and a body, as Lambda gets it and as many tools export it. */
const fromObject = (bytes: Buffer): Captured | undefined => {
  if (!/^\s*\{/.test(bytes.toString("latin1", 0, 100))) return undefined
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
  const { headers } = value as { readonly headers?: unknown }
  if (typeof headers !== "object" || headers === null) return undefined
  const pairs = Array.isArray(headers)
    ? headers.map((one: unknown) => Array.isArray(one) ? one : [Object(one).name, Object(one).value])
    : Object.entries(headers)
  return {
    headers: Object.fromEntries(pairs.map(([name, value]) => [String(name).toLowerCase(), [value].flat().join(", ")])),
    body: bodyOf(value as Record<string, unknown>)
  }
}

/** Reads a captured request; headers of the command line come first, and the rest is then the body alone. */
export const parseCaptured = (bytes: Buffer, headers: ReadonlyArray<string>): Captured => {
  if (headers.length > 0) return { headers: headersOf(headers), body: bytes }
  const captured = fromHttp(bytes) ?? fromObject(bytes)
  if (captured !== undefined) return captured
  throw usage(
    "this is no captured request: give the headers and the body as an HTTP request, a JSON object with headers and body, " +
      "or the body with --header \"hookrail-signature: ...\" --header \"hookrail-delivery-id: ...\""
  )
}

// verify --------------------------------------------------------------------------------------------------------------

export interface VerifyInput {
  readonly file: string | undefined
  readonly header: ReadonlyArray<string>
  readonly tolerance: string | undefined
}

export interface Verification {
  readonly valid: boolean
  readonly deliveryId?: string | undefined
  readonly eventId?: string | undefined
  readonly topic?: string | undefined
  readonly signedAt?: string | undefined
  readonly ageSeconds?: number | undefined
  /** Which of the secrets, from 1. */
  readonly secret?: number | undefined
  readonly tag?: string | undefined
  readonly reason?: string | undefined
  readonly mistake?: string | undefined
  readonly advice?: string | undefined
}

const signedAtOf = ({ headers }: Captured): number | undefined => {
  const [, seconds] = /(?:^|,)\s*t=(\d{1,12})/.exec(headers["hookrail-signature"] ?? "") ?? []
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

/** Verifies, and says why not. A captured request is old: its age counts only with a tolerance. */
export const verification = async (
  captured: Captured,
  secrets: ReadonlyArray<string>,
  toleranceMs: number | undefined
): Promise<Verification> => {
  const signedAt = signedAtOf(captured)
  const now = toleranceMs === undefined && signedAt !== undefined ? signedAt : Date.now()
  const options = {
    secrets: [...secrets],
    headers: captured.headers,
    body: captured.body,
    now,
    ...(toleranceMs === undefined ? {} : { tolerance: Math.max(toleranceMs, 1_000) })
  }
  const about = signedAt === undefined ? {} : {
    signedAt: new Date(signedAt).toISOString(),
    ageSeconds: Math.round((Date.now() - signedAt) / 1000)
  }
  try {
    const { deliveryId, eventId, secretIndex, topic } = await verifyRequest(options)
    return { valid: true, deliveryId, eventId, topic, ...about, secret: secretIndex + 1 }
  } catch (error) {
    if (error instanceof TypeError) throw usage(`the secret cannot be used: ${error.message}`)
    if (!(error instanceof WebhookVerificationError)) throw error
    const why = error instanceof SignatureError ? await explainMismatch(options) : undefined
    return {
      valid: false,
      ...about,
      tag: error._tag,
      reason: error.message,
      mistake: why?.mistake,
      advice: why?.advice
    }
  }
}

export const requireSecrets = async ({ settings }: Context): Promise<ReadonlyArray<string>> => {
  const secrets = await settings.secrets()
  if (secrets.length > 0) return secrets
  throw new Failure(
    exitCodes.authentication,
    "there is no secret: set HOOKRAIL_WEBHOOK_SECRET, several separated by commas, or choose a --profile or a --dotenv"
  )
}

export const verify: Run<VerifyInput> = async ({ file, header, tolerance }, context) => {
  const { out } = context
  const toleranceMs = tolerance === undefined ? undefined : millisOf("--tolerance", tolerance)
  const secrets = await requireSecrets(context)
  const captured = parseCaptured(await readInput(file ?? "-"), header)
  const result = await verification(captured, secrets, toleranceMs)
  if (result.valid) {
    out.data(result, () =>
      [
        `${out.paint("green", "valid")}  signed at ${result.signedAt}, ${result.ageSeconds} s ago` +
        (secrets.length > 1 ? `, with secret ${result.secret} of ${secrets.length}` : ""),
        `  delivery  ${result.deliveryId}`,
        `  event     ${result.eventId ?? "-"}`,
        `  topic     ${oneLine(result.topic ?? "-")}`
      ].join("\n"))
    return exitCodes.ok
  }
  if (out.isJson) {
    out.data(result, () => "")
    return exitCodes.failed
  }
  throw new Failure(exitCodes.failed, result.advice === undefined ? result.reason ?? "" : `not valid: ${result.advice}`)
}

// sign ----------------------------------------------------------------------------------------------------------------

export interface SignInput {
  readonly topic: string
  readonly payload: string | undefined
  readonly from: string | undefined
  readonly set: ReadonlyArray<string>
  readonly setString: ReadonlyArray<string>
  readonly raw: boolean
  readonly deliveryId: string | undefined
  readonly eventId: string | undefined
  readonly to: string | undefined
}

const payloadOf = async ({ from, payload, set, setString }: SignInput): Promise<Json> => {
  if (payload !== undefined && from !== undefined) throw usage("give the payload as an argument or by --from, not both")
  const base = payload !== undefined
    ? parsePayload(payload)
    : from !== undefined
    ? await readJson(from)
    : undefined
  return withSettings(base, set, setString)
}

export interface Signed {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
  readonly deliveryId: string
  readonly eventId: string
}

const signed = async (input: SignInput, secret: string): Promise<Signed> => {
  const { signWebhook } = await import("@hookrail/emulator")
  const { deliveryId, eventId, topic } = input
  try {
    if (!input.raw) return signWebhook({ secret, topic, payload: await payloadOf(input), deliveryId, eventId })
    // The bytes as they are, right or wrong.
    const { signature } = await import("@hookrail/emulator/inner/delivery/signing")
    const body = await readInput(input.from ?? "-")
    const model = signWebhook({ secret, topic, payload: null, deliveryId, eventId })
    return {
      deliveryId: model.deliveryId,
      eventId: model.eventId,
      body,
      headers: {
        ...model.headers,
        "content-length": String(body.length),
        "hookrail-signature": signature(secret, Math.floor(Date.now() / 1000), model.deliveryId, body)
      }
    }
  } catch (error) {
    if (error instanceof TypeError) throw usage(error.message)
    if (error instanceof RangeError) throw usage("the payload is nested too deeply")
    throw error
  }
}

export const sign: Run<SignInput> = async (input, context) => {
  const { out, signal } = context
  const [secret = ""] = await requireSecrets(context)
  const { body, deliveryId, eventId, headers } = await signed(input, secret)
  for (const [name, value] of Object.entries(headers)) {
    if (/[^\t -~\u0080-\u00ff]/.test(value)) throw usage(`the header ${name} cannot hold ${JSON.stringify(value)}`)
  }
  if (input.to === undefined) {
    const bytes = Buffer.from(body)
    const text = bytes.toString()
    const isText = Buffer.from(text).equals(bytes)
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    const head = ["POST /webhooks HTTP/1.1", "host: localhost", ...lines, "", ""].join("\r\n")
    // As "verify" reads it, and Lambda gives it.
    const json = isText ? { body: text } : { body: bytes.toString("base64"), isBase64Encoded: true }
    if (out.isJson || isText) out.data({ headers, ...json, deliveryId, eventId }, () => head + text)
    else out.bytes(Buffer.concat([Buffer.from(head), bytes]))
    return exitCodes.ok
  }
  if (!URL.canParse(input.to) || !/^https?:/.test(input.to)) {
    throw usage(`--to must be a URL, but is ${JSON.stringify(input.to)}`)
  }
  const { NoAnswer, request } = await import("../base/http.js")
  const answer = await request(input.to, { method: "POST", headers, body, timeoutMs: 15_000, signal })
    .catch((error: unknown) => {
      if (!(error instanceof NoAnswer)) throw error
      throw new Failure(
        exitCodes.unreachable,
        `${input.to} does not answer (${error.message}): start the receiver, or check the URL`
      )
    })
  const isAccepted = answer.status >= 200 && answer.status < 300
  out.data(
    { deliveryId, eventId, status: answer.status, latencyMs: Math.round(answer.ms), body: answer.body },
    () =>
      `${out.paint(isAccepted ? "green" : "red", String(answer.status))}  ${
        Math.round(answer.ms)
      } ms  ${deliveryId}  ` +
      oneLine(answer.body, 200)
  )
  if (isAccepted) return exitCodes.ok
  throw new Failure(exitCodes.failed, `the receiver answered ${answer.status}: see what it logs`, {
    status: answer.status
  })
}
