/** The admin client over any transport: promises outside, fibers inside. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import { AdminClient, listed, refusal } from "hookrail/admin/calls"
import * as compound from "hookrail/admin/compound"
import { countReplay, noReplays } from "hookrail/admin/counts"
import type * as Model from "hookrail/admin/model"
import * as receiver from "hookrail/admin/receiver"
import { type CallOptions, observing, type ReplayFailure } from "hookrail/admin/service"
import * as routes from "hookrail/admin/wire/routes"
import type { CallObserver, OnRetry } from "hookrail/call/calls"
import { noSchedule, unscheduled } from "hookrail/call/pauses"
import * as HookrailConfig from "hookrail/HookrailConfig"
import { callable, Reason, unknownName, withDefault } from "hookrail/options/check"
import { positiveDuration } from "hookrail/options/duration"
import { isRetryPolicy } from "hookrail/RetryPolicy"
import type * as Transport from "hookrail/Transport"
import type { AdminOperation } from "hookrail/wire/admin"
import type { Described } from "hookrail/wire/describe"
import { onAbort } from "./abort.js"
import { adminClasses } from "./adminErrors.js"
import type * as Types from "./adminTypes.js"
import { Caller, located } from "./caller.js"
import { environment } from "./environment.js"
import { abortedError, argumentError, closedError, configError, type RetryableError } from "./errors.js"
import { fromCore } from "./fromCore.js"
import { contextOf, logOf, tell, type Write } from "./log.js"
import { requireOwner } from "./owner.js"
import { Secret } from "./secret.js"
import type { CloseOptions, HookrailOptions, TransportOptions } from "./types.js"
import { Unused } from "./unused.js"

type Open = (
  config: HookrailConfig.HookrailConfig,
  options: TransportOptions | undefined,
  fetch: HookrailOptions["fetch"]
) => Effect.Effect<Opened, unknown>

interface Opened {
  readonly transport: Transport.Service
  readonly close: () => Promise<void>
}

const runSync = <A>(effect: Effect.Effect<A, unknown>): A => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw fromAdminCore(Cause.squash(exit.cause))
}

const fromAdminCore = (error: unknown): unknown => fromCore(error, adminClasses)

const ownOptions = ["fetch", "log", "onRetry", "transport"]

/** Tells the user of a retry. Nothing of what they do with it reaches the call. */
const tellRetry = (write: Write, onRetry: HookrailOptions["onRetry"]): OnRetry => (failed, attempts, delay) => {
  const delayMs = Math.round(delay)
  const error = fromAdminCore(failed) as RetryableError
  write({
    level: "info",
    message: `${error.message} Attempt ${attempts + 1} begins in ${delayMs} ms.`,
    annotations: { "hookrail.admin.operation": error.operation }
  })
  if (onRetry !== undefined) tell(onRetry, { error, attempts, delayMs })
}

/** Which call it is, and what is known about it before anything was sent. */
class About implements Described {
  constructor(readonly operation: AdminOperation, target: unknown, readonly outcome: Described["outcome"]) {
    this.target = typeof target === "string" && target !== "" ? target : undefined
  }
  readonly target: string | undefined
}

/** The calls in progress. */
class Calls {
  private readonly cancels = new Set<() => void>()
  private whenEmpty: (() => void) | undefined

  constructor(private readonly context: Context.Context<never>) {}

  start<A>(
    about: About,
    signal: AbortSignal | undefined,
    make: (observer: CallObserver) => Effect.Effect<A, unknown>
  ): Promise<A> {
    const observer: CallObserver = { call: undefined }
    return new Promise((resolve, reject) => {
      let leave: (() => void) | undefined
      let isOver = false
      let cancel = () => {}
      const settle = (exit: Exit.Exit<A, unknown>) => {
        isOver = true
        this.cancels.delete(cancel)
        leave?.()
        if (Exit.isSuccess(exit)) resolve(exit.value)
        else if (!Cause.hasInterrupts(exit.cause)) reject(fromAdminCore(Cause.squash(exit.cause)))
        else {
          const call = { ...about, ...observer.call?.interruption() }
          reject(signal?.aborted === true ? abortedError(call, signal.reason) : closedError(call))
        }
        if (this.cancels.size === 0) this.whenEmpty?.()
      }
      cancel = Effect.runCallbackWith(this.context)(make(observer), { onExit: settle })
      // A wrong argument ends it at once.
      if (isOver) return
      this.cancels.add(cancel)
      if (signal !== undefined) leave = onAbort(signal, cancel)
    })
  }

  cancel(): void {
    for (const cancel of [...this.cancels]) cancel()
  }

  ended(): Promise<void> {
    return this.cancels.size === 0 ? Promise.resolve() : new Promise((resolve) => {
      this.whenEmpty = resolve
    })
  }
}

const revealed = (secret: Redacted.Redacted<string>): Secret => new Secret(Redacted.value(secret))

const redacted = (secret: string | Secret): Redacted.Redacted<string> =>
  Redacted.make(secret instanceof Secret ? secret.reveal() : secret)

const isSecret = (secret: unknown): boolean => secret instanceof Secret || (typeof secret === "string" && secret !== "")

const refused = (...of: ConstructorParameters<typeof routes.Refused>): Effect.Effect<never, unknown> =>
  Effect.fail(refusal(new routes.Refused(...of)))

const resultOf = (result: Model.ReplayResult<ReplayFailure>): Types.ReplayResult =>
  result._tag === "NotReplayed"
    ? { ...result, error: fromAdminCore(result.error) as Types.ReplayFailure }
    : result

/** What `replayAll` returns. It begins when it is first used. */
class Replays implements Types.Replaying {
  private counts: Promise<Model.ReplayCounts> | undefined
  private isIterated = false
  private readonly use: () => void

  constructor(
    private readonly results: AsyncGenerator<Types.ReplayResult, undefined>,
    private readonly caller: Caller,
    unused: Unused
  ) {
    this.use = unused.watch(this, caller)
  }

  async next(): Promise<IteratorResult<Types.ReplayResult, undefined>> {
    this.use()
    if (this.counts !== undefined) throw this.misused("it is awaited already")
    this.isIterated = true
    return this.results.next()
  }

  async return(): Promise<IteratorResult<Types.ReplayResult, undefined>> {
    this.use()
    this.isIterated = true
    return this.results.return(undefined)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  then<A = Model.ReplayCounts, B = never>(
    onFulfilled?: ((counts: Model.ReplayCounts) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null
  ): Promise<A | B> {
    this.use()
    if (this.isIterated) return Promise.reject(this.misused("it is iterated already")).then(onFulfilled, onRejected)
    this.counts ??= this.count()
    return this.counts.then(onFulfilled, onRejected)
  }

  private async count(): Promise<Model.ReplayCounts> {
    let counts = noReplays
    for await (const result of this.results) counts = countReplay(result, counts)
    return counts
  }

  private misused(how: string): unknown {
    return this.caller.blame(
      argumentError("options", `${how}: the result of replayAll is awaited or iterated, not both. Call it again`)
    )
  }
}

/** @internal */
export const defineAdmin = (open: Open): Types.HookrailAdminConstructor => {
  class AdminFacade implements Types.HookrailAdmin {
    static readonly name = "HookrailAdmin"
    readonly #client: AdminClient
    readonly #close: () => Promise<void>
    readonly #calls: Calls
    readonly #unused: Unused
    #closing: Promise<void> | undefined

    constructor(given: Types.HookrailAdminOptions = {}) {
      try {
        if (typeof given !== "object" || given === null) throw configError("options", "must be an object")
        const names = [...HookrailConfig.adminOptionNames, ...ownOptions]
        for (const name of Object.keys(given)) {
          if (!names.includes(name)) throw configError(name, unknownName(name, names))
        }
        const { adminToken, fetch, log, onRetry: listener, transport: transportOptions, ...options } = given
        if (adminToken !== undefined && typeof adminToken !== "string") {
          throw configError("adminToken", "must be a text")
        }
        if (transportOptions !== undefined && (typeof transportOptions !== "object" || transportOptions === null)) {
          throw configError("transport", "must be an object, such as { proxy: \"http://proxy.example.com:3128\" }")
        }
        const write = logOf(log)
        if (write instanceof Reason) throw configError("log", write.text)
        const onRetry = withDefault<HookrailOptions["onRetry"]>(callable, undefined)(listener)
        if (onRetry instanceof Reason) throw configError("onRetry", onRetry.text)
        if (fetch !== undefined && typeof fetch !== "function") throw configError("fetch", "must be a function")
        const config = runSync(HookrailConfig.makeAdminFrom({
          ...options,
          adminToken: adminToken === undefined ? undefined : Redacted.make(adminToken)
        }, environment))
        if (!isRetryPolicy(config.retry)) throw configError("retry", noSchedule)
        const { close, transport } = runSync(open(config, transportOptions, fetch))
        this.#close = close
        const runtime = contextOf(write)
        this.#unused = new Unused(write, "replayAll has replayed nothing", "admin.replayAll")
        this.#calls = new Calls(runtime)
        this.#client = new AdminClient({
          config,
          transport,
          runtime,
          scheduled: unscheduled,
          onRetry: tellRetry(write, onRetry)
        })
      } catch (error) {
        throw located(error)
      }
    }

    readonly endpoints: Types.Endpoints = {
      create: (input, options) =>
        this.#write("endpoints.create", routes.shownUrl(input?.url), options, (options) =>
          Effect.map(
            this.#client.createEndpoint(input, options),
            (made) => ({ ...made, secret: revealed(made.secret) })
          )),
      list: (filter, options) => this.#list(routes.pageOfEndpoints, filter, options),
      page: (filter, options) => this.#page("endpoints.list", routes.pageOfEndpoints, filter, options),
      get: (id, options = {}) =>
        this.#read(
          "endpoints.get",
          id,
          options,
          ({ includeDeleted, ...options }) => this.#client.run(routes.getEndpoint(id, includeDeleted), options)
        ),
      update: (id, changes, options) =>
        this.#write(
          "endpoints.update",
          id,
          options,
          (options) => Effect.asVoid(this.#client.run(routes.updateEndpoint(id, changes), options))
        ),
      delete: (id, options) =>
        this.#write(
          "endpoints.delete",
          id,
          options,
          (options) => this.#client.remove(routes.deleteEndpoint(id), options)
        ),
      rotateSecret: (id, options) =>
        this.#write(
          "endpoints.rotateSecret",
          id,
          options,
          (options) => Effect.map(this.#client.rotateSecret(id, options), revealed)
        )
    }

    readonly subscriptions: Types.Subscriptions = {
      create: (input, options) =>
        this.#write(
          "subscriptions.create",
          input?.topic,
          options,
          (options) => this.#client.createSubscription(input, options)
        ),
      list: (filter, options) => this.#list(routes.pageOfSubscriptions, filter, options),
      page: (filter, options) => this.#page("subscriptions.list", routes.pageOfSubscriptions, filter, options),
      get: (id, options = {}) =>
        this.#read(
          "subscriptions.get",
          id,
          options,
          ({ includeDeleted, ...options }) => this.#client.run(routes.getSubscription(id, includeDeleted), options)
        ),
      update: (id, changes, options) =>
        this.#write(
          "subscriptions.update",
          id,
          options,
          (options) => Effect.asVoid(this.#client.run(routes.updateSubscription(id, changes), options))
        ),
      delete: (id, options) =>
        this.#write(
          "subscriptions.delete",
          id,
          options,
          (options) => this.#client.remove(routes.deleteSubscription(id), options)
        )
    }

    readonly deliveries: Types.Deliveries = {
      list: (filter, options) => this.#list(routes.pageOfDeliveries, filter, options),
      page: (filter, options) => this.#page("deliveries.list", routes.pageOfDeliveries, filter, options),
      get: (id, options) =>
        this.#read("deliveries.get", id, options, (options) => this.#client.run(routes.getDelivery(id), options)),
      skip: (id, options) =>
        this.#write("deliveries.skip", id, options, (options) => this.#client.run(routes.skipDelivery(id), options)),
      replay: (id, options) =>
        this.#write("deliveries.replay", id, options, (options) => this.#client.replay(id, options))
    }

    readonly deadLetters: Types.DeadLetters = {
      list: (filter, options) => this.#list(routes.pageOfDeadLetters, filter, options),
      page: (filter, options) => this.#page("deadLetters.list", routes.pageOfDeadLetters, filter, options),
      replay: (id, options) =>
        this.#write("deliveries.replay", id, options, (options) => this.#client.replay(id, options))
    }

    readonly orderedKeys: Types.OrderedKeys = {
      list: (filter, options) => this.#list(routes.pageOfOrderedKeys, filter, options),
      page: (filter, options) => this.#page("orderedKeys.list", routes.pageOfOrderedKeys, filter, options)
    }

    readonly tokens: Types.Tokens = {
      create: (input, options) =>
        this.#write(
          "tokens.create",
          input?.label,
          options,
          (options) =>
            Effect.map(this.#client.createToken(input, options), (made) => ({ ...made, token: revealed(made.token) }))
        ),
      list: (filter, options) => this.#list(routes.pageOfTokens, filter, options),
      page: (filter, options) => this.#page("tokens.list", routes.pageOfTokens, filter, options),
      revoke: (id, options) =>
        this.#write(
          "tokens.revoke",
          id,
          options,
          (options) => Effect.asVoid(this.#client.run(routes.revokeToken(id), options))
        )
    }

    whoami(options?: Types.AdminCallOptions): Promise<Model.Identity> {
      requireOwner(#calls in Object(this), "admin.whoami")
      return this.#read("whoami", undefined, options, (options) => this.#client.run(routes.whoami(), options))
    }

    ensureSubscription(
      input: Model.EnsureInput,
      options?: Types.AdminCreateOptions
    ): Promise<Model.Ensured<Secret>> {
      requireOwner(#calls in Object(this), "admin.ensureSubscription")
      return this.#call(
        new About("ensureSubscription", routes.shownUrl(Object(input).url), "unknown"),
        options,
        ({ [observing]: _, ...options }) =>
          Effect.map(compound.ensureSubscription(this.#client, input, options), ({ secret, ...rest }) => ({
            ...rest,
            ...(secret === undefined ? {} : { secret: revealed(secret) })
          }))
      )
    }

    replayAll(filter?: Model.ReplayFilter, options?: Types.AdminReplayOptions): Types.Replaying {
      requireOwner(#calls in Object(this), "admin.replayAll")
      const caller = new Caller(this.replayAll)
      return new Replays(this.#replays(caller, filter, options), caller, this.#unused)
    }

    checkReceiver(given: Types.CheckReceiverOptions): Promise<Model.ReceiverCheck> {
      requireOwner(#calls in Object(this), "admin.checkReceiver")
      const { secrets, signal, ...options } = Object(given) as Types.CheckReceiverOptions
      return this.#call(new About("checkReceiver", undefined, undefined), { signal }, () => {
        const all = secrets === undefined ? [] : [secrets].flat()
        return !all.every(isSecret)
          ? refused("checkReceiver", routes.shownUrl(options.url), "secrets", "must be a list of texts or Secrets")
          : receiver.checkReceiver(this.#client, { ...options, secrets: all.map(redacted) })
      })
    }

    rotateWithReceiver(endpointId: string, given: Types.RotateOptions): Promise<Secret> {
      requireOwner(#calls in Object(this), "admin.rotateWithReceiver")
      const { current, deploy, signal, ...rest } = Object(given) as Types.RotateOptions
      return this.#call(new About("rotateWithReceiver", endpointId, "unknown"), { signal }, () =>
        isSecret(current)
          ? Effect.map(
            receiver.rotateWithReceiver(this.#client, endpointId, {
              ...rest,
              current: redacted(current),
              deploy: typeof deploy === "function"
                ? (secret) =>
                  // @effect-diagnostics-next-line unknownInEffectCatch:off -- whatever the caller's function throws
                  Effect.tryPromise({ try: async () => await deploy(revealed(secret)), catch: (reason) => reason })
                : deploy
            }),
            revealed
          )
          : refused("rotateWithReceiver", endpointId, "current", "must be the present secret, a text or a Secret"))
    }

    close({ drain = false }: CloseOptions = {}): Promise<void> {
      requireOwner(#calls in Object(this), "admin.close")
      const limit = drain === true ? undefined : drain === false ? 0 : positiveDuration(drain)
      if (limit instanceof Reason) return Promise.reject(argumentError("options", `drain: ${limit.text}`))
      this.#unused.tellAll()
      this.#closing ??= this.#calls.ended().then(this.#close)
      if (limit === 0) {
        this.#calls.cancel()
      } else if (limit !== undefined) {
        const timer = setTimeout(() => this.#calls.cancel(), Math.min(limit, 2 ** 31 - 1))
        void this.#closing.finally(() => clearTimeout(timer))
      }
      return this.#closing
    }

    [Symbol.asyncDispose](): Promise<void> {
      return this.close({ drain: true })
    }

    // -----------------------------------------------------------------------------------------------------------
    // calls
    // -----------------------------------------------------------------------------------------------------------

    #read<A, Options extends Types.AdminCallOptions>(
      operation: AdminOperation,
      target: unknown,
      options: Options | undefined,
      make: (options: Omit<Options, "signal"> & CallOptions) => Effect.Effect<A, unknown>
    ): Promise<A> {
      return this.#call(new About(operation, target, undefined), options, make)
    }

    #write<A, Options extends Types.AdminCallOptions>(
      operation: AdminOperation,
      target: unknown,
      options: Options | undefined,
      make: (options: Omit<Options, "signal"> & CallOptions) => Effect.Effect<A, unknown>
    ): Promise<A> {
      return this.#call(new About(operation, target, "not-sent"), options, make)
    }

    // Async, with an `await` of its own, because of the stacks of errors: see `located`.
    async #call<A, Options extends Types.AdminCallOptions>(
      about: About,
      options: Options | undefined,
      make: (options: Omit<Options, "signal"> & CallOptions) => Effect.Effect<A, unknown>
    ): Promise<A> {
      const { signal, ...rest } = options ?? {} as Options
      try {
        if (signal?.aborted === true) throw abortedError(about, signal.reason)
        if (this.#closing !== undefined) throw closedError(about)
        return await this.#calls.start(about, signal, (observer) =>
          // Read when the call starts, so that a getter that throws rejects the promise.
          Effect.suspend(() => make({ ...rest, [observing]: observer })))
      } catch (error) {
        throw located(error)
      }
    }

    #page<Filter extends object, A>(
      operation: AdminOperation,
      specOf: (filter: Model.Paged<Filter>) => routes.Spec<Model.Page<A>> | routes.Refused,
      filter: Model.Paged<Filter> | undefined,
      options: Types.AdminCallOptions | undefined
    ): Promise<Model.Page<A>> {
      return this.#read(
        operation,
        undefined,
        options,
        (options) => this.#client.page(specOf, filter ?? {} as Model.Paged<Filter>, options)
      )
    }

    #list<Filter extends object, A>(
      specOf: (filter: Model.Paged<Filter>) => routes.Spec<Model.Page<A>> | routes.Refused,
      filter: Model.Listed<Filter> | undefined,
      options: Types.AdminCallOptions | undefined
    ): AsyncIterableIterator<A> {
      return this.#rows(new Caller(this.#list), specOf, filter, options)
    }

    async *#replays(
      caller: Caller,
      filter: Model.ReplayFilter | undefined,
      { signal, ...options }: Types.AdminReplayOptions = {}
    ): AsyncGenerator<Types.ReplayResult, undefined> {
      const about = new About("replayAll", undefined, "unknown")
      const stop = new AbortController()
      const leave = signal === undefined ? undefined : onAbort(signal, () => stop.abort(signal.reason))
      const underWay: Array<Promise<Types.ReplayResult>> = []
      try {
        const plan = compound.replaying(this.#client, filter, options)
        if (plan instanceof routes.Refused) throw fromAdminCore(refusal(plan))
        if (signal?.aborted === true) throw abortedError(about, signal.reason)
        const { calls, concurrency, filter: wanted, isWanted, replay } = plan
        const rows = this.#rows(
          caller,
          routes.pageOfDeadLetters,
          wanted,
          { ...calls, signal } as Types.AdminCallOptions
        )
        for await (const row of rows) {
          const wanted = isWanted(row)
          if (wanted instanceof routes.Refused) throw fromAdminCore(refusal(wanted))
          if (!wanted) continue
          const running = this.#calls.start(about, stop.signal, () => replay(row)).then(resultOf)
          // Reported when its turn comes.
          running.catch(() => {})
          underWay.push(running)
          if (underWay.length >= concurrency) yield await underWay.shift()!
        }
        while (underWay.length > 0) yield await underWay.shift()!
      } catch (error) {
        throw caller.blame(error)
      } finally {
        leave?.()
        stop.abort()
        await Promise.allSettled(underWay)
      }
    }

    async *#rows<Filter extends object, A>(
      caller: Caller,
      specOf: (filter: Model.Paged<Filter>) => routes.Spec<Model.Page<A>> | routes.Refused,
      filter: Model.Listed<Filter> | undefined,
      { signal, ...options }: Types.AdminCallOptions = {}
    ): AsyncGenerator<A, undefined> {
      const pages = listed(this.#client, specOf, filter, options)
      const { operation } = pages
      try {
        if (pages instanceof routes.Refused) throw fromAdminCore(refusal(pages))
        let cursor: string | undefined
        do {
          const about = new About(operation, undefined, undefined)
          if (signal?.aborted === true) throw abortedError(about, signal.reason)
          if (this.#closing !== undefined) throw closedError(about)
          const page = await this.#calls.start(about, signal, () => pages.page(cursor))
          yield* page.items
          cursor = page.nextCursor
        } while (cursor !== undefined)
      } catch (error) {
        throw caller.blame(error)
      }
    }
  }
  return AdminFacade
}
