import * as Effect from "effect/Effect"
import type { LambdaEvent, LambdaResult, UnreadableBody, WebhookRequest } from "../Webhooks.js"
import type { Handle } from "./runtime.js"

const advice = "pass the event of the Lambda on as it is, its isBase64Encoded too"

const bytesOf = ({ body, isBase64Encoded }: LambdaEvent): Uint8Array | undefined => {
  if (typeof body !== "string") return body === null || body === undefined ? new Uint8Array(0) : undefined
  if (isBase64Encoded !== true) return new TextEncoder().encode(body)
  try {
    return Uint8Array.from(atob(body), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

const methodOf = ({ httpMethod, requestContext }: LambdaEvent): string => {
  const { http } = (requestContext ?? {}) as { readonly http?: { readonly method?: string } }
  return http?.method ?? httpMethod ?? ""
}

const requestOf = (event: LambdaEvent): WebhookRequest => ({
  method: methodOf(event),
  headers: event.headers ?? {},
  body: (limit) =>
    Effect.suspend((): Effect.Effect<Uint8Array, UnreadableBody> => {
      const bytes = bytesOf(event)
      // A middleware that parses the body leaves an object.
      if (bytes === undefined) return Effect.fail({ reason: "consumed", advice })
      return bytes.length > limit ? Effect.fail({ reason: "too-large", advice }) : Effect.succeed(bytes)
    }),
  advice
})

export const toLambdaHandler = (handle: Handle): (event: LambdaEvent) => Promise<LambdaResult> => async (event) => {
  const { headers, status } = await handle(requestOf(event))
  return { statusCode: status, headers, body: "" }
}
