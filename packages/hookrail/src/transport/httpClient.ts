import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import { constTrue } from "effect/Function"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { ifTraced } from "../fiber/services.js"
import { decompress } from "./decompress.js"
import { TransportError } from "./error.js"
import { BodyBuffer, Limits } from "./exchange.js"
import { connectionError, invalidRequest, unreadableError } from "./failure.js"
import type { TransportRequest, TransportResponse } from "./model.js"
import { maxBodyBytes } from "./model.js"
import type { Service } from "./service.js"

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
    : connectionError(error.cause, error._tag === "ResponseError" ? { phase: "body" } : undefined)

/** Browsers hide what a redirect says, even its status. */
const statusOf = (response: HttpClientResponse): number => response.status === 0 ? 302 : response.status

const answerOf = (response: HttpClientResponse, body: string, truncated: boolean): TransportResponse => ({
  status: statusOf(response),
  header: (name) => response.headers[name],
  body,
  truncated
})

/** Whether a body is known to fit: a stream with a limit costs more than all the rest of the exchange. */
const fits = ({ headers, status }: HttpClientResponse): boolean =>
  status >= 200 && status < 300 && Number(headers["content-length"]) <= maxBodyBytes &&
  headers["content-encoding"] === undefined

/** The whole body, as far as the limit allows. The stream is read to its end, or destroyed with its connection. */
const read = (response: HttpClientResponse): Effect.Effect<TransportResponse, TransportError> => {
  if (fits(response)) {
    return Effect.mapBoth(response.text, {
      onFailure: transportErrorOf,
      // Not every client drops a byte-order mark.
      onSuccess: (text) => answerOf(response, text.startsWith("\ufeff") ? text.slice(1) : text, false)
    })
  }
  return Effect.suspend(() => {
    const body = new BodyBuffer()
    return Effect.flatMap(
      Effect.catchAll(
        Stream.runForEachWhile(response.stream, (chunk) => Effect.sync(() => body.add(chunk))),
        (error) => {
          if (error.reason === "EmptyBody") return Effect.void
          // A server that answers before it has read the whole request may reset the connection right after. Its verdict
          // is in the status; only a success needs its body.
          if (statusOf(response) < 400) return Effect.fail(transportErrorOf(error))
          body.truncated = true
          return Effect.void
        }
      ),
      () => {
        const encoding = response.headers["content-encoding"]
        return encoding === undefined || body.truncated
          ? Effect.succeed(answerOf(response, body.text(), body.truncated))
          : decompressed(response, encoding, body)
      }
    )
  })
}

/**
 * Some clients decompress, and leave the header in place; others do not. Their bytes tell: JSON is decompressed already, and
 * so is other text that is not in the encoding that the header names.
 */
const decompressed = (
  response: HttpClientResponse,
  encoding: string,
  body: BodyBuffer
): Effect.Effect<TransportResponse, TransportError> =>
  Effect.suspend(() => {
    const bytes = body.bytes()
    const text = textOf(bytes)
    if (text !== undefined && isJson(text)) return Effect.succeed(answerOf(response, text, false))
    const result = decompress(encoding, bytes)
    if (result !== undefined) {
      return Effect.succeed(answerOf(response, new TextDecoder().decode(result.bytes), result.truncated))
    }
    if (text !== undefined) return Effect.succeed(answerOf(response, text, false))
    return statusOf(response) < 400
      ? Effect.fail(unreadableError(encoding))
      : Effect.succeed(answerOf(response, "", true))
  })

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * Per call, since what a layer sets up in its scope does not reach the fibers that use it: spans without the API key, and
 * none of the platform's own where nobody listens.
 */
const inTrace = <A, E>(exchange: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  ifTraced(
    () => Effect.locallyWith(exchange, Headers.currentRedactedNames, (names) => [...names, "authorization"]),
    () => Effect.locally(exchange, HttpClient.currentTracerDisabledWhen, constTrue)
  )

/** `Fiber.join` in a fraction of the steps: it hands no state of the fiber on, and leaves its observer there. */
const exitOf = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<A, E> =>
  Effect.async((resume) => fiber.addObserver(resume))

/** A transport over the `HttpClient` of the context. */
export const make: Effect.Effect<Service, never, HttpClient.HttpClient> = Effect.gen(function*() {
  // Closing the scope of a call aborts its exchange, whatever state it is in.
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  const init = yield* Effect.serviceOption(FetchHttpClient.RequestInit)
  const options: RequestInit = { ...Option.getOrUndefined(init), redirect: "manual" }

  const send = (request: TransportRequest): Effect.Effect<HttpClientResponse, TransportError, Scope.Scope> =>
    Effect.catchAll(client.execute(httpRequestOf(request)), (error) =>
      // A client that takes an error status for an error: to us it is an answer.
      error._tag === "ResponseError" && error.reason === "StatusCode"
        ? Effect.succeed(error.response)
        : Effect.fail(transportErrorOf(error)))

  /** To be run where it cannot be interrupted: it aborts what does not come to its end. */
  const exchange = (request: TransportRequest, limits: Limits): Effect.Effect<TransportResponse, TransportError> =>
    Effect.flatMap(Scope.make(), (scope) => {
      const whole = Effect.flatMap(send(request), (response) => {
        limits.answered()
        return read(response)
      })
      const provided = Effect.mapInputContext(
        whole,
        (context: Context.Context<never>) =>
          Context.add(Context.add(context, Scope.Scope, scope), FetchHttpClient.RequestInit, options)
      )
      return Effect.matchCauseEffect(Effect.interruptible(inTrace(provided)), {
        onFailure: (cause) => Effect.zipRight(Scope.close(scope, Exit.failCause(cause)), Effect.failCause(cause)),
        // After a complete one there is nothing to abort, and to abort it all the same costs as much as to send it.
        onSuccess: (response) =>
          response.truncated ? Effect.as(Scope.close(scope, Exit.void), response) : Effect.succeed(response)
      })
    })

  return {
    request: (request) => {
      const invalid = invalidRequest(request.headers)
      if (invalid !== undefined) return Effect.fail(invalid)
      // A race with a timer would take two fibers; the exchange in one of its own can be interrupted from outside.
      return Effect.uninterruptibleMask((restore) => {
        let elapsed: TransportError | undefined
        let fiber: Fiber.RuntimeFiber<TransportResponse, TransportError> | undefined
        const limits = new Limits(request, (error) => {
          elapsed = error
          fiber?.unsafeInterruptAsFork(FiberId.none)
        })
        return Effect.flatMap(Effect.forkDaemon(exchange(request, limits)), (forked) => {
          fiber = forked
          return Effect.matchCauseEffect(restore(exitOf(forked)), {
            onFailure: (cause) => {
              limits.clear()
              if (elapsed !== undefined) return Effect.fail(elapsed)
              return Effect.zipRight(Fiber.interrupt(forked), Effect.failCause(cause))
            },
            onSuccess: (response) => {
              limits.clear()
              return Effect.succeed(response)
            }
          })
        })
      })
    }
  }
})
