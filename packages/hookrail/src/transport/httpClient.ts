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
  // The body first: it sets a content type, which ours replaces.
  return HttpClientRequest.setHeaders(
    body === undefined ? request : HttpClientRequest.setBody(request, HttpBody.uint8Array(body)),
    headers
  )
}

/** Keeps only the cause of a platform error: the error itself prints the request headers, including credentials. */
const transportErrorOf = (error: HttpClientError): TransportError =>
  error.reason === "InvalidUrl"
    ? new TransportError({ reason: "connection", phase: "connect", description: "invalid URL" })
    : connectionError(error.cause, error._tag === "ResponseError" ? { phase: "body" } : undefined)

/** Browsers hide the content of a redirect, even its status. */
const statusOf = (response: HttpClientResponse): number => response.status === 0 ? 302 : response.status

const answerOf = (response: HttpClientResponse, body: string, truncated: boolean): TransportResponse => ({
  status: statusOf(response),
  header: (name) => response.headers[name],
  body,
  truncated
})

/** Whether a body is known to fit: reading a stream with a limit costs more than the rest of the exchange. */
const fits = ({ headers, status }: HttpClientResponse): boolean =>
  status >= 200 && status < 300 && Number(headers["content-length"]) <= maxBodyBytes &&
  headers["content-encoding"] === undefined

/** Reads the body up to the limit. The stream is read to its end, or destroyed with its connection. */
const read = (response: HttpClientResponse): Effect.Effect<TransportResponse, TransportError> => {
  if (fits(response)) {
    return Effect.mapBoth(response.text, {
      onFailure: transportErrorOf,
      // Not every client drops a byte order mark.
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
          // A server that responds before it has read the whole request may reset the connection right afterwards. The status
          // of an error is enough; only a success needs its body.
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
 * Some clients decompress but keep the header; others do not decompress. The bytes tell: JSON is already decompressed, and so is
 * other text that does not have the encoding in the header.
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
 * Keeps the API key out of the platform's spans, and disables them if there is no tracer. Set per call, since what a layer sets
 * in its scope does not reach the fibers that use it.
 */
const inTrace = <A, E>(exchange: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  ifTraced(
    () => Effect.locallyWith(exchange, Headers.currentRedactedNames, (names) => [...names, "authorization"]),
    () => Effect.locally(exchange, HttpClient.currentTracerDisabledWhen, constTrue)
  )

/** `Fiber.join` in a fraction of the steps: it does not inherit the fiber's state, and never removes its observer. */
const exitOf = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<A, E> =>
  Effect.async((resume) => fiber.addObserver(resume))

/** A transport over the `HttpClient` of the context. */
export const make: Effect.Effect<Service, never, HttpClient.HttpClient> = Effect.gen(function*() {
  // Closing the scope of a call aborts its exchange in any state.
  const client = HttpClient.withScope(yield* HttpClient.HttpClient)
  const init = yield* Effect.serviceOption(FetchHttpClient.RequestInit)
  const options: RequestInit = { ...Option.getOrUndefined(init), redirect: "manual" }

  const send = (request: TransportRequest): Effect.Effect<HttpClientResponse, TransportError, Scope.Scope> =>
    Effect.catchAll(client.execute(httpRequestOf(request)), (error) =>
      // Some clients fail on an error status: here it is a response.
      error._tag === "ResponseError" && error.reason === "StatusCode"
        ? Effect.succeed(error.response)
        : Effect.fail(transportErrorOf(error)))

  /** Run it in an uninterruptible region: it aborts an exchange that does not complete. */
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
        // A complete response leaves nothing to abort, and aborting anyway costs as much as sending.
        onSuccess: (response) =>
          response.truncated ? Effect.as(Scope.close(scope, Exit.void), response) : Effect.succeed(response)
      })
    })

  return {
    request: (request) => {
      const invalid = invalidRequest(request.headers)
      if (invalid !== undefined) return Effect.fail(invalid)
      // A race with a timer would take two fibers; here the timer interrupts the one fiber of the exchange.
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
