import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Transport, TransportRequest, TransportResponse } from "../Transport.js"
import { BodyBuffer, Limits } from "./exchange.js"
import { connectionError, invalidRequest } from "./networkCodes.js"
import { TransportError } from "./transportError.js"

const httpRequestOf = ({ body, headers, method, origin, path }: TransportRequest) => {
  const request = HttpClientRequest.make(method)(origin + path)
  // The body first: it brings a content type, and ours replaces it.
  return HttpClientRequest.setHeaders(
    body === undefined ? request : HttpClientRequest.setBody(request, HttpBody.uint8Array(body)),
    headers
  )
}

/** Only the cause of a platform error goes on: the error itself prints the headers of the request, credentials too. */
const transportErrorOf = (error: HttpClientError): TransportError =>
  error.reason === "InvalidUrl"
    ? new TransportError({ reason: "connection", phase: "connect", description: "invalid URL" })
    : connectionError(error.cause, error._tag === "ResponseError")

/** The whole body, as far as the limit allows. The stream is read to its end, or destroyed with its connection. */
const read = (response: HttpClientResponse): Effect.Effect<TransportResponse, TransportError> =>
  Effect.suspend(() => {
    const body = new BodyBuffer()
    // Browsers hide what a redirect says, even its status.
    const status = response.status === 0 ? 302 : response.status
    return Effect.map(
      Effect.catchAll(
        Stream.runForEachWhile(response.stream, (chunk) => Effect.sync(() => body.add(chunk))),
        (error) => {
          if (error.reason === "EmptyBody") return Effect.void
          // A server that answers before it has read the whole request may reset the connection right after. Its verdict
          // is in the status; only a success needs its body.
          if (status < 400) return Effect.fail(transportErrorOf(error))
          body.truncated = true
          return Effect.void
        }
      ),
      (): TransportResponse => ({
        status,
        header: (name) => response.headers[name],
        body: body.text(),
        truncated: body.truncated
      })
    )
  })

/** A transport over the `HttpClient` of the context. */
export const make: Effect.Effect<Transport.Service, never, HttpClient.HttpClient> = Effect.gen(function*() {
  // Closing the scope of a call aborts its exchange, whatever state it is in; after a complete one it does nothing.
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  const init = yield* Effect.serviceOption(FetchHttpClient.RequestInit)
  const options: RequestInit = { ...Option.getOrUndefined(init), redirect: "manual" }

  const send = (request: TransportRequest): Effect.Effect<HttpClientResponse, TransportError, Scope.Scope> =>
    client.execute(httpRequestOf(request)).pipe(
      // A client that takes an error status for an error: to us it is an answer.
      Effect.catchTag(
        "ResponseError",
        (error) => error.reason === "StatusCode" ? Effect.succeed(error.response) : Effect.fail(error)
      ),
      Effect.mapError(transportErrorOf),
      Effect.provideService(FetchHttpClient.RequestInit, options)
    )

  const exchange = (request: TransportRequest, limits: Limits): Effect.Effect<TransportResponse, TransportError> =>
    Effect.scoped(Effect.flatMap(send(request), (response) => {
      limits.answered()
      return read(response)
    }))

  return {
    request: (request) => {
      const invalid = invalidRequest(request.headers)
      if (invalid !== undefined) return Effect.fail(invalid)
      return Effect.acquireUseRelease(
        Effect.sync(() => {
          const elapsed = Deferred.unsafeMake<never, TransportError>(FiberId.none)
          const limits = new Limits(request, (error) => Deferred.unsafeDone(elapsed, Effect.fail(error)))
          return { elapsed, limits }
        }),
        ({ elapsed, limits }) => Effect.raceFirst(exchange(request, limits), Deferred.await(elapsed)),
        ({ limits }) => Effect.sync(() => limits.clear())
      ).pipe(
        // Per call, since what a layer sets up in its scope does not reach the fibers that use it.
        Effect.locallyWith(Headers.currentRedactedNames, (names) => [...names, "authorization"])
      )
    }
  }
})
