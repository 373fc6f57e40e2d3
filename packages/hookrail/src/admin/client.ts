/** The service of an admin client: the calls of `calls.ts`, and lists as streams. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { AdminError, AdminReadError } from "../HookrailError.js"
import { AdminClient, type Dependencies, listed, refusal } from "./calls.js"
import * as compound from "./compound.js"
import type * as Model from "./model.js"
import * as receiver from "./receiver.js"
import { type CallOptions, observing, type Service } from "./service.js"
import * as routes from "./wire/routes.js"
import { Refused, type Spec } from "./wire/routes.js"

/** Reads a list page by page. */
const list = <Filter extends object, A>(
  client: AdminClient,
  specOf: (filter: Model.Paged<Filter>) => Spec<Model.Page<A>> | Refused,
  filter: Model.Listed<Filter> | undefined,
  options?: CallOptions
): Stream.Stream<A, AdminReadError> =>
  Stream.suspend(() => {
    const pages = listed(client, specOf, filter, options)
    if (pages instanceof Refused) return Stream.fail(refusal(pages))
    return Stream.paginateChunkEffect(undefined as string | undefined, (cursor) =>
      Effect.map(
        pages.page(cursor),
        ({ items, nextCursor }) => [Chunk.unsafeFromArray(items), Option.fromNullable(nextCursor)] as const
      ))
  })

/** Reads: their errors are fewer. */
const read = <A>(effect: Effect.Effect<A, AdminError>) => effect as Effect.Effect<A, AdminReadError>

export const make = (dependencies: Dependencies): Service => {
  const client = new AdminClient(dependencies)
  const including = (options: CallOptions & Model.GetOptions = {}) => {
    const { includeDeleted, ...rest } = options
    return [includeDeleted, { ...rest, [observing]: options[observing] }] as const
  }
  return {
    endpoints: {
      create: (input, options) => Effect.suspend(() => client.createEndpoint(input, options)),
      list: (filter, options) => list(client, routes.pageOfEndpoints, filter, options),
      page: (filter, options) => client.page(routes.pageOfEndpoints, filter ?? {}, options),
      get: (id, options) => {
        const [deleted, rest] = including(options)
        return read(client.run(routes.getEndpoint(id, deleted), rest))
      },
      update: (id, changes, options) => Effect.asVoid(client.run(routes.updateEndpoint(id, changes), options)),
      delete: (id, options) => client.remove(routes.deleteEndpoint(id), options),
      rotateSecret: (id, options) => client.rotateSecret(id, options)
    },
    subscriptions: {
      create: (input, options) => Effect.suspend(() => client.createSubscription(input, options)),
      list: (filter, options) => list(client, routes.pageOfSubscriptions, filter, options),
      page: (filter, options) => client.page(routes.pageOfSubscriptions, filter ?? {}, options),
      get: (id, options) => {
        const [deleted, rest] = including(options)
        return read(client.run(routes.getSubscription(id, deleted), rest))
      },
      update: (id, changes, options) => Effect.asVoid(client.run(routes.updateSubscription(id, changes), options)),
      delete: (id, options) => client.remove(routes.deleteSubscription(id), options)
    },
    deliveries: {
      list: (filter, options) => list(client, routes.pageOfDeliveries, filter, options),
      page: (filter, options) => client.page(routes.pageOfDeliveries, filter ?? {}, options),
      get: (id, options) => read(client.run(routes.getDelivery(id), options)),
      skip: (id, options) => client.run(routes.skipDelivery(id), options),
      replay: (id, options) => client.replay(id, options)
    },
    deadLetters: {
      list: (filter, options) => list(client, routes.pageOfDeadLetters, filter, options),
      page: (filter, options) => client.page(routes.pageOfDeadLetters, filter ?? {}, options),
      replay: (id, options) => client.replay(id, options)
    },
    orderedKeys: {
      list: (filter, options) => list(client, routes.pageOfOrderedKeys, filter, options),
      page: (filter, options) => client.page(routes.pageOfOrderedKeys, filter ?? {}, options)
    },
    tokens: {
      create: (input, options) => Effect.suspend(() => client.createToken(input, options)),
      list: (filter, options) => list(client, routes.pageOfTokens, filter, options),
      page: (filter, options) => client.page(routes.pageOfTokens, filter ?? {}, options),
      revoke: (id, options) => Effect.asVoid(client.run(routes.revokeToken(id), options))
    },
    whoami: (options) => read(client.run(routes.whoami(), options)),
    ensureSubscription: (input, options) => compound.ensureSubscription(client, input, options),
    replayAll: (filter, options) =>
      Stream.suspend(() => {
        const replaying = compound.replaying(client, filter, options)
        if (replaying instanceof Refused) return Stream.fail(refusal(replaying))
        const { calls, concurrency, filter: wanted, isWanted, replay } = replaying
        return list(client, routes.pageOfDeadLetters, wanted, calls).pipe(
          Stream.filterEffect((deadLetter) => {
            const wanted = isWanted(deadLetter)
            return typeof wanted === "boolean" ? Effect.succeed(wanted) : Effect.fail(refusal(wanted))
          }),
          Stream.mapEffect(replay, { concurrency })
        )
      }),
    checkReceiver: (options) => receiver.checkReceiver(client, options),
    rotateWithReceiver: (endpointId, options) => receiver.rotateWithReceiver(client, endpointId, options)
  }
}
