/** What people script by hand: setting up a subscription, and replaying what has died. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import { monotonic } from "../fiber/time.js"
import { type AdminContext, type AdminError, SecretLostError } from "../HookrailError.js"
import { adminOptionsFault } from "../options/calls.js"
import {
  anything,
  callable,
  Fault,
  flag,
  positiveNumber,
  readOptions,
  wholeNumber,
  withDefault
} from "../options/check.js"
import { type AdminClient, listed, refusal } from "./calls.js"
import { changesOf, isSameUrl } from "./counts.js"
import type * as Model from "./model.js"
import type { CallOptions, CreateOptions, observing, ReplayFailure, ReplayOptions } from "./service.js"
import * as routes from "./wire/routes.js"
import { Refused, shownUrl } from "./wire/routes.js"

// ---------------------------------------------------------------------------------------------------------------
// ensuring a subscription
// ---------------------------------------------------------------------------------------------------------------

/** All rows of a list that are wanted. */
const rowsOf = <Filter extends object, A>(
  client: AdminClient,
  specOf: Parameters<typeof listed<Filter, A>>[1],
  filter: Filter,
  options: CallOptions,
  isWanted: (row: A) => boolean
): Effect.Effect<ReadonlyArray<A>, AdminError> => {
  const pages = listed(client, specOf, { ...filter, pageSize: 200 } as Model.Listed<Filter>, options)
  if (pages instanceof Refused) return Effect.fail(refusal(pages))
  const rows: Array<A> = []
  const from = (cursor: string | undefined): Effect.Effect<ReadonlyArray<A>, AdminError> =>
    Effect.flatMap(pages.page(cursor), ({ items, nextCursor }) => {
      rows.push(...items.filter(isWanted))
      return nextCursor === undefined ? Effect.succeed(rows) : from(nextCursor)
    })
  return from(undefined)
}

const ensureNames: ReadonlyArray<string> = [
  "topic",
  "url",
  "description",
  "ordered",
  "maxAttempts",
  "rateLimitRps",
  "backoffPolicy"
]

type EnsuredSecret = Model.Ensured<Redacted.Redacted<string>>

/** Finds or makes an endpoint with this URL, and a subscription of it to this topic. */
export const ensureSubscription = (
  client: AdminClient,
  input: Model.EnsureInput,
  options: CreateOptions = {}
): Effect.Effect<EnsuredSecret, AdminError> =>
  Effect.suspend(() => {
    const { description, ordered, topic, url, ...settings } = input ?? {} as Model.EnsureInput
    const { onLostSecret, ...reading } = options
    const wrong = typeof input === "object" && input !== null
      ? routes.unknownMember(input, ensureNames)
      : "it must be an object"
    const context = { operation: "ensureSubscription", target: shownUrl(url) } as const
    const refused = wrong !== undefined
      ? new Refused(context.operation, context.target, "input", wrong)
      : within(context, routes.createEndpoint({ url, description })) ??
        within(context, routes.createSubscription({ topic, endpointId: "any", ordered, ...settings }))
    if (refused !== undefined) return Effect.fail(refusal(refused))
    const fault = adminOptionsFault(options, ["onLostSecret"])
    if (fault !== undefined) {
      return Effect.fail(refusal(new Refused(context.operation, context.target, "options", fault)))
    }

    const subscribed = (endpointId: string): Effect.Effect<ReadonlyArray<Model.Subscription>, AdminError> =>
      rowsOf<Model.SubscriptionFilter, Model.Subscription>(
        client,
        routes.pageOfSubscriptions,
        { endpointId },
        reading,
        (row) => row.topic === topic
      )

    /** The subscription of an endpoint that exists, if it has one. */
    const settled = (
      endpoint: EnsuredSecret["endpoint"],
      row: Model.Subscription
    ): Effect.Effect<EnsuredSecret, AdminError> => {
      if (ordered !== undefined && ordered !== row.ordered) {
        const reason =
          `subscription ${row.id} has ordered: ${row.ordered}, which can never be changed: delete it first, or leave ordered out`
        return Effect.fail(refusal(new Refused(context.operation, context.target, "ordered", reason)))
      }
      const changes = changesOf(row, settings)
      const result = (subscriptionWas: "found" | "updated"): EnsuredSecret => ({
        endpoint,
        subscription: { id: row.id, topic: row.topic },
        endpointWas: "found",
        subscriptionWas,
        duplicateIds: []
      })
      return changes === undefined
        ? Effect.succeed(result("found"))
        : Effect.as(client.run(routes.updateSubscription(row.id, changes), reading), result("updated"))
    }

    const subscribe = (endpointId: string) =>
      client.createSubscription({ topic, endpointId, ordered, ...settings }, reading)

    /** An endpoint with this URL that is there: with its subscription to the topic, if one has it, else the oldest. */
    const look: Effect.Effect<Found, AdminError> = Effect.gen(function*() {
      const endpoints = yield* rowsOf<Model.EndpointFilter, Model.Endpoint>(
        client,
        routes.pageOfEndpoints,
        {},
        reading,
        (row) => isSameUrl(row.url, url)
      )
      for (const endpoint of endpoints) {
        const [row] = yield* subscribed(endpoint.id)
        if (row !== undefined) return { endpoint, row }
      }
      // The oldest, so that every run takes the same.
      return { endpoint: endpoints.at(-1) }
    })

    const settle = ({ id, url }: Model.Endpoint, row: Model.Subscription | undefined) =>
      row !== undefined
        ? settled({ id, url }, row)
        : Effect.map(subscribe(id), (made): EnsuredSecret => ({
          endpoint: { id, url },
          subscription: { id: made.id, topic },
          endpointWas: "found",
          subscriptionWas: "created",
          duplicateIds: []
        }))

    const ensure = Effect.flatMap(look, ({ endpoint, row }): Effect.Effect<EnsuredSecret, AdminError> =>
      endpoint !== undefined ? settle(endpoint, row) : Effect.flatMap(
        client.createEndpoint({ url, description }, { ...reading, onLostSecret }),
        (made) =>
          orTakeBack(
            client,
            made.id,
            context,
            // Another program may have made one at the same time. All of them look after they have made theirs, and settle on
            // the same. What was made too many stays: it gets no events, and to delete it would cancel the deliveries of
            // whoever has found it meanwhile.
            Effect.flatMap(look, ({ endpoint: first, row }) =>
              first !== undefined && first.id !== made.id
                ? Effect.map(settle(first, row), (ensured) => ({ ...ensured, duplicateIds: [made.id] }))
                : Effect.map(subscribe(made.id), ({ id }): EnsuredSecret => ({
                  endpoint: { id: made.id, url: made.url },
                  subscription: { id, topic },
                  secret: made.secret,
                  endpointWas: "created",
                  subscriptionWas: "created",
                  duplicateIds: []
                })))
          )
      ))
    return client.inTurn(new URL(url).href, ensure)
  })

interface Found {
  readonly endpoint: Model.Endpoint | undefined
  readonly row?: Model.Subscription
}

const within = (
  { operation, target }: AdminContext,
  spec: routes.Spec<unknown> | Refused
): Refused | undefined =>
  spec instanceof Refused ? new Refused(operation, target, spec.argument, spec.reason) : undefined

/** Deletes an endpoint that was made, if the rest fails: its secret would be lost with the error. */
const orTakeBack = <A>(
  client: AdminClient,
  endpointId: string,
  context: AdminContext,
  rest: Effect.Effect<A, AdminError>
): Effect.Effect<A, AdminError> => {
  const remove = client.remove(routes.deleteEndpoint(endpointId))
  return Effect.catchAll(
    Effect.onExit(
      rest,
      (exit) => Exit.isFailure(exit) && Exit.isInterrupted(exit) ? Effect.ignore(remove) : Effect.void
    ),
    (error) =>
      Effect.matchEffect(remove, {
        onFailure: () => Effect.fail(new SecretLostError({ ...context, ids: [endpointId] })),
        onSuccess: () => Effect.fail(error)
      })
  )
}

// ---------------------------------------------------------------------------------------------------------------
// replaying
// ---------------------------------------------------------------------------------------------------------------

const replayChecks = {
  rate: withDefault(positiveNumber, 10),
  concurrency: withDefault(wholeNumber(), 4),
  dryRun: withDefault(flag, false),
  timeout: anything<CallOptions["timeout"]>,
  retry: anything<CallOptions["retry"]>,
  headers: anything<CallOptions["headers"]>
}

/** What is needed to replay many. */
export interface Replaying {
  readonly concurrency: number
  readonly filter: Model.DeadLetterFilter
  readonly calls: CallOptions
  /** By the condition of the caller; an untyped one may return something else, such as a promise, which is never false. */
  readonly isWanted: (deadLetter: Model.DeadLetter) => boolean | Refused
  /** Replays one, when its turn comes. */
  readonly replay: (
    deadLetter: Model.DeadLetter
  ) => Effect.Effect<Model.ReplayResult<ReplayFailure>, AdminError>
}

/** Checks the arguments of `replayAll`. */
export const replaying = (
  client: AdminClient,
  given: Model.ReplayFilter = {},
  options: ReplayOptions = {}
): Replaying | Refused => {
  const settings = readOptions<Omit<ReplayOptions, typeof observing>, typeof replayChecks>(options, replayChecks)
  if (settings instanceof Fault) {
    const { option, reason } = settings
    const argument = option === "rate" || option === "concurrency" || option === "dryRun" ? option : "options"
    return new Refused("replayAll", undefined, argument, argument === "options" ? `${option}: ${reason}` : reason)
  }
  const { where = () => true, ...rest } = given ?? {}
  if (typeof callable(where) !== "function") {
    return new Refused("replayAll", undefined, "where", "must be a function")
  }
  if ("replayed" in rest) {
    return new Refused("replayAll", undefined, "replayed", "those that were replayed since they died are left out")
  }
  const filter = { ...rest, replayed: false }
  const checked = within({ operation: "replayAll" }, routes.pageOfDeadLetters(filter))
  if (checked !== undefined) return checked
  const { concurrency, dryRun, headers, rate, retry, timeout } = settings
  const calls = { headers, retry, timeout }
  const turn = paced(1000 / rate)
  const replay = (deadLetter: Model.DeadLetter) =>
    Effect.matchEffect(client.replay(deadLetter.deliveryId, calls), {
      onFailure: (error) =>
        isForOne(error)
          ? Effect.succeed<Model.ReplayResult<ReplayFailure>>({ _tag: "NotReplayed", deadLetter, error })
          : Effect.fail(error),
      onSuccess: ({ state }) =>
        Effect.succeed<Model.ReplayResult<ReplayFailure>>({ _tag: "Replayed", deadLetter, state })
    })
  return {
    concurrency,
    filter,
    calls,
    isWanted: (deadLetter) => {
      const isWanted: unknown = where(deadLetter)
      return typeof isWanted === "boolean"
        ? isWanted
        : new Refused("replayAll", undefined, "where", "it must return true or false at once")
    },
    replay: (deadLetter) =>
      dryRun
        ? Effect.succeed({ _tag: "WouldReplay", deadLetter })
        : Effect.zipRight(turn, replay(deadLetter))
  }
}

/** Whether an error is about one dead letter: the others may still be replayed. */
const isForOne = (error: AdminError): error is ReplayFailure =>
  "problem" in error && error.problem !== undefined &&
  (error._tag === "ConflictError" || error._tag === "NotFoundError" || error._tag === "ReplayExpiredError")

/** Waits for a turn: there is one in each interval. */
const paced = (interval: number): Effect.Effect<void> => {
  let next = -Infinity
  return Effect.flatMap(monotonic, (now) => {
    const at = Math.max(now, next)
    next = at + interval
    return at > now ? Effect.sleep(at - now) : Effect.void
  })
}
