import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Service, UnreadableBody, WebhookRequest } from "../receive/model.js"
import { Collector } from "./body.js"

const advice = "read the body nowhere else, and mount the app before what does"

/**
 * How far beyond the limit the body is read and dropped: leaving a stream before its end would close the connection and
 * lose the answer.
 */
const drained = 8

const read = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number
): Effect.Effect<Uint8Array, UnreadableBody> =>
  Effect.suspend(() => {
    const promised = Number(request.headers["content-length"])
    if (promised > limit) return Effect.fail<UnreadableBody>({ reason: "too-large" })
    const collector = new Collector()
    let size = 0
    return request.stream.pipe(
      Stream.runForEachWhile((chunk) =>
        Effect.sync(() => {
          size += chunk.length
          if (size <= limit) collector.add(chunk)
          return size <= limit * drained
        })
      ),
      Effect.matchEffect({
        onFailure: () => Effect.fail<UnreadableBody>({ reason: "aborted" }),
        onSuccess: () =>
          size > limit
            ? Effect.fail<UnreadableBody>({ reason: "too-large" })
            : size === 0 && promised > 0
            ? Effect.fail<UnreadableBody>({ reason: "consumed" })
            : Effect.succeed(collector.joined())
      })
    )
  })

export const handle = (
  webhooks: Service
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const webhook: WebhookRequest = {
      method: request.method,
      headers: request.headers,
      body: (limit) => read(request, limit),
      advice
    }
    return Effect.map(webhooks.handle(webhook), ({ headers, status }) => HttpServerResponse.empty({ status, headers }))
  })
