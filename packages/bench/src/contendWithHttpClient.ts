/** The `HttpClient` of @effect/platform alone, without its spans: the lower bound for clients built on it. */
import { HttpBody, HttpClient, HttpClientRequest } from "@effect/platform"
import type { Layer } from "effect"
import { Effect } from "effect"
import { constTrue } from "effect/Function"
import { body, check, headers, url } from "./contend.js"
import { contendWithFibers } from "./contendWithEffect.js"

const request = () =>
  HttpClientRequest.post(`${url}/v1/events`).pipe(
    HttpClientRequest.setBody(HttpBody.uint8Array(Buffer.from(body()))),
    HttpClientRequest.setHeaders(headers())
  )

const send = Effect.suspend(() => HttpClient.execute(request())).pipe(
  Effect.flatMap((answer) => Effect.map(answer.text, (text) => check(answer.status, text))),
  Effect.locally(HttpClient.currentTracerDisabledWhen, constTrue)
)

export const contendWithHttpClient = (layer: Layer.Layer<HttpClient.HttpClient>): Promise<never> =>
  contendWithFibers(layer, send)
