/**
 * The calls of an admin client. Each operation is a `Spec` of `routes.ts`, carried out by `call/` as an `AdminCall`. Creating
 * something looks at the list before the first attempt, so that an attempt whose answer was lost is recognised: see `lost.ts`.
 */
import type { Clock } from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { defaultRuntime, type Runtime } from "effect/Runtime"
import { addressOf } from "../call/advice.js"
import { type CallError, Calls, type OnRetry } from "../call/calls.js"
import type { AttemptError } from "../call/errors.js"
import type { Scheduled } from "../call/pauses.js"
import { run } from "../fiber/callback.js"
import { withClock } from "../fiber/services.js"
import { runInSpan } from "../fiber/tracing.js"
import * as Gate from "../gate/gate.js"
import { defaults } from "../gate/pace.js"
import { loggedBy } from "../gate/report.js"
import type { HookrailConfig } from "../HookrailConfig.js"
import {
  type AdminContext,
  type AdminError,
  type AdminReadError,
  InvalidArgumentError,
  SecretLostError,
  UnexpectedResponseError
} from "../HookrailError.js"
import { adminOptionsFault } from "../options/calls.js"
import { isRetryPolicy } from "../RetryPolicy.js"
import type { Service as Transport } from "../transport/service.js"
import { addHeaders } from "../wire/headers.js"
import * as lost from "./lost.js"
import type * as Model from "./model.js"
import { AdminCall, type Parts, type Shared } from "./operation.js"
import { type CallOptions, type CreateOptions, observing } from "./service.js"
import { Cursors } from "./wire/pages.js"
import * as routes from "./wire/routes.js"
import { Refused, type Spec } from "./wire/routes.js"

export interface Dependencies {
  readonly config: HookrailConfig
  readonly transport: Transport
  /** Where it logs that it slows down. */
  readonly runtime?: Runtime<never> | undefined
  readonly scheduled: Scheduled
  readonly onRetry?: OnRetry | undefined
}

const json = "application/json"

const absent = "There is no admin API at this path: it has a port of its own, 8082 by default."

/** How many rows a request asks for by default, and at most. */
const maxLimit = 200

/** A page that was too long to be read. */
const cut: Model.Page<never> = { items: [] }

export const refusal = ({ argument, operation, reason, target }: Refused): InvalidArgumentError & AdminContext =>
  new InvalidArgumentError({ operation, target, outcome: "not-sent", argument, reason }) as
    & InvalidArgumentError
    & AdminContext

/** States of a delivery that was replayed. */
const replayedStates: ReadonlySet<string> = new Set(["pending", "in_flight", "retry_scheduled", "succeeded"])

/** Hides a secret where it is read: spans get the results of calls. */
const sealed = <A, B>(spec: Spec<A> | Refused, seal: (result: A) => B): Spec<B> | Refused =>
  spec instanceof Refused ? spec : {
    ...spec,
    read: (body) => {
      const result = spec.read(body)
      return result === undefined ? undefined : seal(result)
    }
  }

type Made<A> = A & { readonly duplicateIds: ReadonlyArray<string> }

export class AdminClient {
  private readonly calls: Calls
  private readonly shared: Shared
  private readonly authorization: string
  private role: string | undefined
  private readonly turns = new Map<string, { readonly semaphore: Effect.Semaphore; users: number }>()

  readonly config: HookrailConfig
  readonly transport: Transport

  constructor({ config, onRetry, runtime, scheduled, transport }: Dependencies) {
    this.config = config
    this.transport = transport
    const token = Redacted.value(config.apiKey)
    const gate = Gate.make({ ...defaults, maxInFlight: config.maxInFlight }, loggedBy(runtime ?? defaultRuntime))
    this.authorization = `Bearer ${token}`
    this.calls = new Calls(config, transport, gate, token, scheduled, onRetry)
    this.shared = {
      address: addressOf(config.origin + config.prefix, config.baseUrlFrom, token, "HOOKRAIL_ADMIN_URL", absent),
      token,
      role: Effect.suspend(() =>
        this.role !== undefined
          ? Effect.succeed(this.role)
          : Effect.match(this.run(routes.whoami(), { retry: false }), {
            onFailure: () => undefined,
            onSuccess: ({ role }) => this.role = role
          })
      )
    }
  }

  // -------------------------------------------------------------------------------------------------------------
  // one call
  // -------------------------------------------------------------------------------------------------------------

  /** Carries an operation out, with a span around it where somebody listens. */
  run<A>(
    spec: Spec<A> | Refused,
    options: CallOptions = {},
    parts: Parts<A> = {},
    own: ReadonlyArray<string> = []
  ): Effect.Effect<A, AdminError> {
    if (spec instanceof Refused) return Effect.fail(refusal(spec))
    const fault = adminOptionsFault(options, own)
    if (fault !== undefined) return Effect.fail(refusal(this.refused(spec, "options", fault)))
    const { operation, target } = spec
    return withClock((clock, isTraced, wait) => {
      if (!isTraced) return run(this.prepare(clock, spec, options, parts), clock, wait)
      const attributes: Record<string, string> = target === undefined ? {} : { "hookrail.admin.target": target }
      return runInSpan(
        `HookrailAdmin.${operation}`,
        { kind: "client", captureStackTrace: false, attributes },
        clock,
        () => this.prepare(clock, spec, options, parts),
        () => {}
      )
    }) as Effect.Effect<A, AdminError>
  }

  private prepare<A>(
    clock: Clock,
    spec: Spec<A>,
    { headers: added, retry, timeout, [observing]: observer }: CallOptions,
    parts: Parts<A>
  ): Effect.Effect<A, CallError> {
    const headers: Record<string, string> = {
      authorization: this.authorization,
      "user-agent": this.config.userAgent,
      accept: json,
      "accept-encoding": "identity"
    }
    if (spec.body !== undefined) headers["content-type"] = json
    if (added !== undefined) {
      const reason = addHeaders(headers, added)
      if (reason !== undefined) {
        const { operation, target } = spec
        const context = { operation, target, outcome: "not-sent" } as const
        return Effect.fail(new InvalidArgumentError({ ...context, argument: "headers", reason }))
      }
    }
    return this.calls.prepare(
      clock,
      new AdminCall(spec, this.shared, parts),
      spec.method,
      this.config.prefix + spec.path,
      headers,
      spec.body === undefined ? undefined : new TextEncoder().encode(spec.body),
      { timeout, retry, headers: added },
      observer
    )
  }

  private refused({ operation, target }: Spec<unknown>, argument: Refused["argument"], reason: string): Refused {
    return new Refused(operation, target, argument, reason)
  }

  /** Runs it when nothing else runs under this name. */
  inTurn<A, E>(name: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        const turn = this.turns.get(name) ?? { semaphore: Effect.unsafeMakeSemaphore(1), users: 0 }
        this.turns.set(name, turn)
        turn.users++
        return turn
      }),
      ({ semaphore }) => semaphore.withPermits(1)(effect),
      (turn) =>
        Effect.sync(() => {
          if (--turn.users === 0) this.turns.delete(name)
        })
    )
  }

  // -------------------------------------------------------------------------------------------------------------
  // lists
  // -------------------------------------------------------------------------------------------------------------

  /** One page. If it is too long to be read, the half of it. */
  page<Filter, A>(
    specOf: (filter: Model.Paged<Filter>) => Spec<Model.Page<A>> | Refused,
    filter: Model.Paged<Filter>,
    options: CallOptions = {},
    within?: Parts<A>["within"]
  ): Effect.Effect<Model.Page<A>, AdminReadError> {
    const { limit = 100 } = filter ?? {}
    const readCut = limit > 1 ? () => Effect.succeed<Model.Page<A>>(cut) : undefined
    return Effect.flatMap(
      this.run(specOf(filter), options, { readCut, within }) as Effect.Effect<Model.Page<A>, AdminReadError>,
      (page) =>
        page === cut
          ? this.page(specOf, { ...filter, limit: Math.ceil(limit / 2) }, options, within)
          : Effect.succeed(page)
    )
  }

  // -------------------------------------------------------------------------------------------------------------
  // creating
  // -------------------------------------------------------------------------------------------------------------

  /** Whether a call can have more than one attempt. */
  private retries({ retry = this.config.retry }: CallOptions): boolean {
    if (retry === false) return false
    return isRetryPolicy(retry) ? retry.maxRetries > 0 : true
  }

  /**
   * Makes something. `list` is read before the first attempt, and again before another one if the outcome is unknown: what is
   * like it and new has been made by an earlier attempt. `found` says what to do then.
   */
  private create<A extends { readonly id: string }, Row extends { readonly id: string }>(
    spec: Spec<A> | Refused,
    options: CreateOptions,
    list: Pick<lost.Source<Row, AdminError>, "matches" | "newestFirst"> & {
      readonly page: (page: Model.PageRequest) => Spec<Model.Page<Row>> | Refused
    },
    found: (rows: ReadonlyArray<Row>) => Effect.Effect<Effect.Effect<A, AttemptError> | "hidden" | undefined>,
    own: ReadonlyArray<string> = []
  ): Effect.Effect<Made<A>, AdminError> {
    const { [observing]: _, onLostSecret: __, ...reading } = options
    if (spec instanceof Refused || adminOptionsFault(options, own) !== undefined || !this.retries(options)) {
      return Effect.map(this.run(spec, options, {}, own), (made) => ({ ...made, duplicateIds: [] }))
    }
    const source: lost.Source<Row, AdminError> = {
      ...list,
      page: (cursor) => this.page(list.page, { cursor, limit: maxLimit }, reading, spec)
    }
    return Effect.flatMap(lost.seen(source), (seen) => {
      let isRepeated = false
      const look = Effect.matchEffect(lost.madeSince(source, seen), {
        onFailure: () => Effect.succeed("hidden" as const),
        onSuccess: (rows) => rows.length === 0 ? Effect.succeed(undefined) : found(rows)
      })
      const call = this.run(spec, options, {
        look: () => {
          isRepeated = true
          return look
        }
      }, own)
      return Effect.flatMap(call, (made) =>
        isRepeated
          // The server may have been still at work on the earlier attempt when nothing was to be seen of it.
          ? Effect.map(
            Effect.orElseSucceed(lost.madeSince(source, seen), () => []),
            (rows) => ({ ...made, duplicateIds: rows.map(({ id }) => id).filter((id) => id !== made.id) })
          )
          : Effect.succeed({ ...made, duplicateIds: [] }))
    })
  }

  private lostSecret(spec: Spec<unknown> | Refused, rows: ReadonlyArray<{ readonly id: string }>): SecretLostError {
    const { operation, target } = spec
    return new SecretLostError({ operation, target, ids: rows.map(({ id }) => id) })
  }

  private checkLost(spec: Spec<unknown> | Refused, { onLostSecret }: CreateOptions): Refused | undefined {
    return onLostSecret === undefined || onLostSecret === "fail" || onLostSecret === "replace"
      ? undefined
      : new Refused(spec.operation, spec.target, "onLostSecret", "must be \"fail\" or \"replace\"")
  }

  createEndpoint(input: Model.EndpointInput, options: CreateOptions = {}): Effect.Effect<
    Model.CreatedEndpoint<Redacted.Redacted<string>>,
    AdminError
  > {
    const spec = sealed(routes.createEndpoint(input), (made) => ({ ...made, secret: Redacted.make(made.secret) }))
    const { description = "", url } = input ?? {}
    return this.create(
      this.checkLost(spec, options) ?? spec,
      options,
      {
        page: routes.pageOfEndpoints,
        newestFirst: true,
        matches: (row) => row.url === url && row.description === description
      },
      (rows) => {
        const [row] = rows
        const error = this.lostSecret(spec, rows)
        if (options.onLostSecret !== "replace" || row === undefined || rows.length > 1) {
          return Effect.succeed(Effect.fail(error))
        }
        return Effect.succeed(Effect.matchEffect(this.rotateSecret(row.id, this.plain(options)), {
          onFailure: () => Effect.fail(error),
          onSuccess: (secret) => Effect.succeed({ id: row.id, url: row.url, secret })
        }))
      },
      ["onLostSecret"]
    )
  }

  createSubscription(
    input: Model.SubscriptionInput,
    options: CallOptions = {}
  ): Effect.Effect<Model.CreatedSubscription, AdminError> {
    const { endpointId, maxAttempts, ordered = false, topic } = input ?? {}
    return this.create(
      routes.createSubscription(input),
      options,
      {
        page: (page) => routes.pageOfSubscriptions({ ...page, endpointId }),
        newestFirst: true,
        matches: (row) =>
          row.topic === topic && row.ordered === ordered &&
          (maxAttempts === undefined || row.maxAttempts === maxAttempts)
      },
      ([row]) => Effect.succeed(row === undefined ? undefined : Effect.succeed({ id: row.id }))
    )
  }

  createToken(input: Model.TokenInput, options: CreateOptions = {}): Effect.Effect<
    Model.CreatedToken<Redacted.Redacted<string>>,
    AdminError
  > {
    const spec = sealed(routes.createToken(input), (made) => ({ ...made, token: Redacted.make(made.token) }))
    const { label, role } = input ?? {}
    return this.create(
      this.checkLost(spec, options) ?? spec,
      options,
      {
        page: routes.pageOfTokens,
        newestFirst: false,
        matches: (row) => row.label === label && row.role === role && row.revokedAt === undefined
      },
      (rows) => {
        const [row] = rows
        const error = Effect.fail(this.lostSecret(spec, rows))
        if (options.onLostSecret !== "replace" || row === undefined || rows.length > 1) return Effect.succeed(error)
        // Then there is none any more, and another attempt makes one.
        return Effect.match(this.run(routes.revokeToken(row.id), this.plain(options)), {
          onFailure: () => error,
          onSuccess: () => undefined
        })
      },
      ["onLostSecret"]
    )
  }

  /** The options of a call within another one. */
  private plain({ headers, retry, timeout }: CallOptions): CallOptions {
    return { headers, retry, timeout }
  }

  // -------------------------------------------------------------------------------------------------------------
  // writes that are safe to repeat
  // -------------------------------------------------------------------------------------------------------------

  rotateSecret(endpointId: string, options?: CallOptions): Effect.Effect<Redacted.Redacted<string>, AdminError> {
    return this.run(sealed(routes.rotateSecret(endpointId), (secret) => Redacted.make(secret)), options)
  }

  /** If there is nothing to delete after an attempt without an answer, that one has deleted it. */
  remove(spec: Spec<null> | Refused, options?: CallOptions): Effect.Effect<void, AdminError> {
    return Effect.asVoid(this.run(spec, options, {
      explained: (status) => status === 404 ? Effect.succeed(null) : undefined
    }))
  }

  /** If it cannot be replayed after an attempt without an answer, that one may have replayed it: its state tells. */
  replay(deliveryId: string, options: CallOptions = {}): Effect.Effect<Model.Replayed, AdminError> {
    return this.run(routes.replayDelivery(deliveryId), options, {
      explained: (status, otherwise) =>
        status !== 409 ? undefined : Effect.matchEffect(this.run(routes.getDelivery(deliveryId), this.plain(options)), {
          onFailure: () => Effect.fail(otherwise),
          onSuccess: ({ state }) =>
            replayedStates.has(state) ? Effect.succeed({ deliveryId, state }) : Effect.fail(otherwise)
        })
    })
  }
}

/** The pages of a list, one after the other. */
export interface Pages<A> {
  readonly operation: AdminContext["operation"]
  readonly page: (cursor: string | undefined) => Effect.Effect<Model.Page<A>, AdminReadError>
}

/** Begins to read a list. A list that does not end is an error. */
export const listed = <Filter extends object, A>(
  client: AdminClient,
  specOf: (filter: Model.Paged<Filter>) => Spec<Model.Page<A>> | Refused,
  filter: Model.Listed<Filter> | undefined,
  options?: CallOptions
): Pages<A> | Refused => {
  const { pageSize, ...rest } = filter ?? {} as Model.Listed<Filter>
  const { operation } = specOf({} as Model.Paged<Filter>)
  if (pageSize !== undefined) {
    const spec = specOf({ limit: pageSize } as unknown as Model.Paged<Filter>)
    if (spec instanceof Refused) return new Refused(operation, undefined, "pageSize", spec.reason)
  }
  if ("cursor" in rest || "limit" in rest) {
    return new Refused(operation, undefined, "filter", "cursor and limit are for one page: a list has a pageSize")
  }
  const cursors = new Cursors()
  return {
    operation,
    page: (cursor) =>
      Effect.flatMap(
        client.page(specOf, { ...rest, cursor, limit: pageSize } as unknown as Model.Paged<Filter>, options),
        (page) => {
          const reason = page.nextCursor === undefined ? undefined : cursors.follow(page.nextCursor, page.items.length)
          return reason === undefined ? Effect.succeed(page) : Effect.fail(endless(operation, reason))
        }
      )
  }
}

const endless = (operation: AdminContext["operation"], reason: string) =>
  new UnexpectedResponseError({
    operation,
    status: 200,
    reason,
    body: "",
    hint: `${reason}: the server, or something in front of it, does not keep to the protocol.`,
    retryable: false
  }) as UnexpectedResponseError & AdminContext
