import * as Effect from "effect/Effect"
import type { LambdaEvent, LambdaResult, UnreadableBody, WebhookRequest } from "../receive/model.js"
import { fromBase64 } from "../wire/bytes.js"
import type { Handle } from "./runtime.js"

const advice = "pass the event of the Lambda on as it is, its isBase64Encoded too"

const fail = (reason: UnreadableBody["reason"]): Effect.Effect<never, UnreadableBody> => Effect.fail({ reason })

const read = ({ body, isBase64Encoded }: LambdaEvent, limit: number): Effect.Effect<Uint8Array, UnreadableBody> => {
  if (body === null || body === undefined) return Effect.succeed(new Uint8Array(0))
  // A middleware that parses the body leaves an object.
  if (typeof body !== "string") return fail("consumed")
  // Four characters encode three bytes: a body that is far too large need not be decoded first.
  if (isBase64Encoded === true && body.length * 3 / 4 - 2 > limit) return fail("too-large")
  const bytes = isBase64Encoded === true ? fromBase64(body) : new TextEncoder().encode(body)
  if (bytes === undefined) return fail("consumed")
  return bytes.length > limit ? fail("too-large") : Effect.succeed(bytes)
}

const methodOf = ({ httpMethod, requestContext }: LambdaEvent): string => {
  const { http } = (requestContext ?? {}) as { readonly http?: { readonly method?: string } }
  return http?.method ?? httpMethod ?? ""
}

const requestOf = (event: LambdaEvent): WebhookRequest => ({
  method: methodOf(event),
  headers: event.headers ?? {},
  body: (limit) => Effect.suspend(() => read(event, limit)),
  advice
})

export const toLambdaHandler = (handle: Handle): (event: LambdaEvent) => Promise<LambdaResult> => async (event) => {
  const { headers, status } = await handle(requestOf(event))
  return { statusCode: status, headers, body: "" }
}
