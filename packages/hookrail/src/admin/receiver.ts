/**
 * Changes the secret of an endpoint together with its receiver. The server has no time in which both secrets are valid (protocol
 * section 4.6): nothing is lost only if the receiver refuses what it cannot verify with a status after which Hookrail tries again.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { withOnlyClock } from "../fiber/services.js"
import { monotonic } from "../fiber/time.js"
import { type AdminContext, type AdminError, ReceiverCheckError } from "../HookrailError.js"
import { adminOptionsFault } from "../options/calls.js"
import { Reason } from "../options/check.js"
import { positiveDuration } from "../options/duration.js"
import * as kernel from "../signature/kernel.js"
import * as Arguments from "../wire/arguments.js"
import { uuid } from "../wire/bytes.js"
import { type AdminClient, refusal } from "./calls.js"
import { judged } from "./counts.js"
import type * as Model from "./model.js"
import type { CheckReceiverOptions, RotateOptions } from "./service.js"
import * as routes from "./wire/routes.js"
import { Refused, shownUrl } from "./wire/routes.js"

type Secret = Redacted.Redacted<string>

/** How long the receiver may take. Hookrail waits as long for its headers. */
const responseTimeout = 10_000

const refusedArgument = (
  { operation, target }: AdminContext,
  argument: Refused["argument"],
  reason: string
) => Effect.fail(refusal(new Refused(operation, target, argument, reason)))

const urlOf = (text: unknown): URL | undefined => {
  try {
    const url = new URL(String(text))
    return url.protocol === "http:" || url.protocol === "https:" ? url : undefined
  } catch {
    return undefined
  }
}

const areSecrets = (secrets: unknown): secrets is ReadonlyArray<Secret> =>
  Array.isArray(secrets) && secrets.length > 0 && secrets.every((secret) => {
    const text: unknown = Redacted.isRedacted(secret) ? Redacted.value(secret) : undefined
    return typeof text === "string" && text !== ""
  })

/** Sends one signed request. */
const ask = (
  client: AdminClient,
  url: URL,
  secret: string,
  { payload = "{\"hookrail_check\": true}", topic = "hookrail.check" }: Model.ReceiverRequest
): Effect.Effect<Model.ReceiverAnswer> =>
  withOnlyClock((clock) => {
    // Its own id each time: a receiver does not handle the same delivery twice.
    const deliveryId = `check-${uuid()}`
    const body = new TextEncoder().encode(payload)
    const seconds = Math.floor(clock.unsafeCurrentTimeMillis() / 1000)
    const signature = kernel.sign(kernel.cachedKey(secret), deliveryId, body, seconds)
    return Effect.flatMap(
      typeof signature === "string" ? Effect.succeed(signature) : Effect.promise(() => signature),
      (signature) =>
        Effect.match(
          client.transport.request({
            method: "POST",
            origin: url.origin,
            path: url.pathname + url.search,
            headers: {
              "content-type": "application/json",
              "user-agent": client.config.userAgent,
              "accept-encoding": "identity",
              "hookrail-event-id": deliveryId,
              "hookrail-delivery-id": deliveryId,
              "hookrail-topic": topic,
              "hookrail-signature": signature
            },
            body,
            responseTimeout,
            timeout: 15_000
          }),
          {
            onFailure: ({ description, limit, reason }): Model.ReceiverAnswer => ({
              status: undefined,
              failure: reason === "timeout" ? `no answer within ${limit} ms` : description
            }),
            onSuccess: ({ status }): Model.ReceiverAnswer => ({ status })
          }
        )
    )
  })

/** Asks a receiver with each secret, and with one that nobody has. */
export const checkReceiver = (
  client: AdminClient,
  { payload, secrets, topic, url: text, ...rest }: CheckReceiverOptions
): Effect.Effect<Model.ReceiverCheck, AdminError> =>
  Effect.suspend(() => {
    const context = { operation: "checkReceiver", target: shownUrl(text) } as const
    const unknown = routes.unknownMember(rest, ["url", "secrets", "topic", "payload"])
    if (unknown !== undefined) return refusedArgument(context, "options", unknown)
    const url = urlOf(text)
    if (url === undefined) return refusedArgument(context, "url", "it must be a URL with http or https")
    if (!areSecrets(secrets)) {
      return refusedArgument(context, "secrets", "must be a list of Redacted texts, one or more")
    }
    const wrong = topic === undefined ? undefined : Arguments.checkTopic(topic)
    // It travels in a header.
    if (wrong !== undefined || (topic !== undefined && !/^[\x20-\x7e]*$/.test(topic))) {
      return refusedArgument(context, "topic", wrong ?? "it must be ASCII")
    }
    if (payload !== undefined && typeof payload !== "string") {
      return refusedArgument(context, "payload", "it must be JSON, as a text")
    }
    const request = { payload, topic }
    return Effect.flatMap(
      // One after the other: a receiver may limit its rate.
      Effect.forEach(secrets, (secret) => ask(client, url, Redacted.value(secret), request)),
      (answers) => Effect.map(ask(client, url, `whsec_${uuid()}`, request), (forged) => judged(answers, forged))
    )
  })

/** Rotates a secret when the receiver is ready for it, and checks that it then takes both. */
export const rotateWithReceiver = <E, R>(
  client: AdminClient,
  endpointId: string,
  { current, deploy, pause = 1_000, timeout = 60_000, receiverUrl, payload, topic, ...calls }: RotateOptions<E, R>
): Effect.Effect<Secret, AdminError | ReceiverCheckError | E, R> =>
  Effect.suspend((): Effect.Effect<Secret, AdminError | ReceiverCheckError | E, R> => {
    const context = {
      operation: "rotateWithReceiver",
      target: typeof endpointId === "string" ? endpointId : undefined
    } as const
    const fault = adminOptionsFault(calls)
    if (fault !== undefined) return refusedArgument(context, "options", fault)
    if (!areSecrets([current])) return refusedArgument(context, "current", "must be a Redacted text")
    if (typeof deploy !== "function") return refusedArgument(context, "deploy", "must be a function")
    const [wait, limit] = [positiveDuration(pause), positiveDuration(timeout)]
    if (wait instanceof Reason) return refusedArgument(context, "pause", wait.text)
    if (limit instanceof Reason) return refusedArgument(context, "options", `timeout: ${limit.text}`)
    const check = (url: string, secrets: ReadonlyArray<Secret>) =>
      checkReceiver(client, { url: String(receiverUrl ?? url), secrets, payload, topic })
    const failed = (check: Model.ReceiverCheck, isRotated: boolean) =>
      Effect.fail(new ReceiverCheckError({ ...context, isRotated, reason: check.problem ?? "", check }))
    const isReady = ({ isPatient, takesAll }: Model.ReceiverCheck): boolean => takesAll && isPatient
    return Effect.flatMap(
      client.run(routes.getEndpoint(endpointId, undefined), calls),
      ({ url }) =>
        Effect.flatMap(check(url, [current]), (before) => {
          if (!isReady(before)) return failed(before, false)
          return Effect.flatMap(client.rotateSecret(endpointId, calls), (secret) => {
            const until = (deadline: number): Effect.Effect<Secret, AdminError | ReceiverCheckError> =>
              Effect.flatMap(check(url, [secret, current]), (after) =>
                isReady(after) ? Effect.succeed(secret) : Effect.flatMap(monotonic, (now) =>
                  now + wait >= deadline
                    ? failed(after, true)
                    : Effect.zipRight(Effect.sleep(Duration.millis(wait)), until(deadline))))
            return Effect.zipRight(
              deploy(secret),
              Effect.flatMap(monotonic, (now) =>
                until(now + limit))
            )
          })
        })
    )
  })
