import { adminHandler } from "./admin/routes.js"
import { AdminTokens } from "./admin/tokens.js"
import { manualClock, realClock } from "./base/clock.js"
import { credential, ulid } from "./base/ids.js"
import { seededRandom, systemRandom } from "./base/random.js"
import { urlAllowed } from "./base/urlPolicy.js"
import { listenForPage } from "./control/listener.js"
import type { Core } from "./core.js"
import { Sender } from "./delivery/attempt.js"
import { Dispatcher, type Surroundings } from "./delivery/dispatcher.js"
import { EmulatorError, EmulatorStartError } from "./errors.js"
import { type FaultHandle, type FaultRule, Faults } from "./faults.js"
import { listen } from "./http/server.js"
import type { DatabaseState, LedgerView } from "./model.js"
import { type Check, checked, show } from "./options/check.js"
import * as checks from "./options/checks.js"
import type { EmulatorOptions, EndpointOptions, SubscribeOptions } from "./options/options.js"
import { settingsOf } from "./options/settings.js"
import { Producers } from "./producer/producers.js"
import { producerHandler } from "./producer/routes.js"
import { Directory } from "./store/directory.js"
import { History } from "./store/history.js"
import { Ledger } from "./store/ledger.js"
import { type Endpoint, Store } from "./store/store.js"

/** An endpoint created in code. */
export interface EndpointHandle {
  readonly id: string
  readonly url: string
  /** Signs the deliveries; all of it is the key, `whsec_` included (protocol section 4.3). */
  readonly secret: string
}

/** A subscription created in code. */
export interface SubscriptionHandle {
  readonly id: string
  readonly endpointId: string
  readonly secret: string
}

/** A running emulator. */
export interface Emulator extends AsyncDisposable {
  /** Base URL of the producer side, without a slash at the end. */
  readonly url: string
  /** Base URL of the admin API; empty if it is switched off. */
  readonly adminUrl: string
  /**
   * The page for a browser, with its token behind the `#`; empty unless the option `page` is on. Without that part, it is the
   * base of the page's calls.
   */
  readonly pageUrl: string
  /** The token of the page's calls, for `Authorization: Bearer`; empty unless the option `page` is on. */
  readonly pageToken: string
  /** The first producer key. */
  readonly apiKey: string
  /** The environment token of the admin API (protocol section 3). */
  readonly adminToken: string
  /** Adds a producer key, or replaces the scopes of an existing one. Without `key` it generates one. */
  readonly addApiKey: (
    options?: { readonly key?: string | undefined; readonly scopes?: ReadonlyArray<string> | undefined }
  ) => string
  /** Revokes a producer key: it is answered 401 from now on (protocol section 3). */
  readonly revokeApiKey: (key: string) => void
  /** Adds an endpoint. */
  readonly addEndpoint: (options: EndpointOptions) => EndpointHandle
  /** Adds a subscription, and an endpoint unless there is one with that URL. */
  readonly subscribe: (options: SubscribeOptions) => SubscriptionHandle
  /** Gives an endpoint a new secret; the old one is no longer used (protocol section 4.6). */
  readonly rotateSecret: (endpointId: string) => string
  /** Deletes an endpoint; its scheduled deliveries are cancelled (protocol section 4.6). */
  readonly removeEndpoint: (endpointId: string) => void
  /** Deletes a subscription; its scheduled deliveries are cancelled (protocol section 4.6). */
  readonly removeSubscription: (subscriptionId: string) => void
  /** Pauses or resumes the fan-out to a subscription (protocol section 4.6). */
  readonly setActive: (subscriptionId: string, active: boolean) => void
  /** Activates a fault. */
  readonly fault: (rule: FaultRule) => FaultHandle
  /** Removes all faults. */
  readonly clearFaults: () => void
  /** Changes the state of the database; once it is `up` again, deliveries resume with the next sweep (protocol section 3). */
  readonly setDatabase: (state: DatabaseState) => void
  /** Changes the state of Redis; while it is down, first deliveries wait for the sweeper (protocol section 6). */
  readonly setRedis: (state: "up" | "down") => void
  /** Everything that happened so far, oldest first. */
  readonly ledger: () => LedgerView
  /** Empties the ledger; events and deliveries stay. */
  readonly clearLedger: () => void
  /** The time of the emulator's clock in milliseconds since 1970. */
  readonly now: () => number
  /** Advances a manual clock by milliseconds; resolves when the deliveries that became due have finished. */
  readonly advance: (ms: number) => Promise<void>
  /**
   * Resolves when no delivery is in flight or, with the real clock, scheduled. With a manual clock, scheduled deliveries
   * wait for `advance`. Deliveries blocked behind a dead one, or held by `pause`, do not count. Rejects with an `EmulatorError` after
   * `timeoutMs` milliseconds of real time.
   */
  readonly idle: (options?: { readonly timeoutMs?: number | undefined }) => Promise<void>
  /** Makes the workers take no more deliveries; attempts in flight end as usual. Events are still accepted. */
  readonly pause: () => void
  /** Makes the workers go on after `pause`. */
  readonly resume: () => void
  /** How many producer connections are open now. */
  readonly openConnections: () => number
  /** Stops everything at once; later calls do nothing. */
  readonly close: () => Promise<void>
}

const found = <A>(map: ReadonlyMap<string, A>, id: string, what: string): A => {
  const value = map.get(id)
  if (value === undefined) throw new EmulatorError(`there is no ${what} ${id}`)
  return value
}

/** Checks what a call was given. */
const check = (how: Check, value: unknown, at = ""): void =>
  checked(how, value, at, (message, option) => new EmulatorError(message, { option }))

/**
 * Starts an emulator on free ports of this machine. Rejects with an {@link EmulatorStartError} for options that make
 * no sense, and when a port is taken.
 */
export const startEmulator = async (options: EmulatorOptions = {}): Promise<Emulator> => {
  const settings = settingsOf(options)
  const manual = options.clock === "manual" ? manualClock(options.startAt ?? Date.now()) : undefined
  const clock = manual ?? realClock()
  const random = options.seed === undefined ? systemRandom : seededRandom(options.seed)
  const store = new Store(
    settings.eventLimit,
    settings.page === undefined ? undefined : new History(settings.page.historyBytes)
  )
  const faults = new Faults(random, () => store.changed())
  const ledger = new Ledger(settings.ledgerLimit, options.observer ?? {})
  const surroundings: Surroundings = { database: "up", redis: "up" }
  const sender = new Sender(settings, store.history !== undefined)
  const dispatcher = new Dispatcher({ settings, store, clock, random, faults, ledger, sender, surroundings })
  const directory = new Directory(
    store,
    clock,
    random,
    (target) => dispatcher.cancel(({ subscription }) => subscription === target || subscription.endpoint === target)
  )
  const producers = new Producers()
  const core: Core = {
    settings,
    clock,
    random,
    store,
    directory,
    dispatcher,
    producers,
    faults,
    ledger,
    surroundings
  }

  const addApiKey: Emulator["addApiKey"] = (key) => {
    if (key !== undefined) check(checks.apiKey, key)
    const text = key?.key ?? credential("hk_", random)
    const id = ulid(clock.now(), random)
    producers.add({ key: text, scopes: key?.scopes }, id, settings.ingestRateLimit, clock.now())
    return text
  }
  const addEndpoint = (endpoint: EndpointOptions, at = ""): Endpoint => {
    if (!urlAllowed(settings.urlPolicy, endpoint.url)) {
      const option = at === "" ? "url" : `${at}.url`
      throw new EmulatorError(
        `${option} must be a URL that urlPolicy allows, such as "http://127.0.0.1:3000/", got ${show(endpoint.url)}`,
        { option }
      )
    }
    return directory.addEndpoint(endpoint.url, endpoint.description, endpoint.secret)
  }
  const endpointOf = (subscription: SubscribeOptions, at: string): Endpoint => {
    if (subscription.endpointId !== undefined) return found(store.endpoints, subscription.endpointId, "endpoint")
    for (const known of store.endpoints.values()) {
      if (known.url !== subscription.url || known.deletedAt !== undefined) continue
      if (subscription.secret === undefined || subscription.secret === known.secret) return known
    }
    return addEndpoint(subscription, at)
  }
  const subscribe = (subscription: SubscribeOptions, at = ""): SubscriptionHandle => {
    check(checks.subscription, subscription, at)
    const endpoint = endpointOf(subscription, at)
    const { id } = directory.addSubscription(subscription.topic, endpoint, subscription)
    return { id, endpointId: endpoint.id, secret: endpoint.secret }
  }

  const apiKeys = (options.apiKeys ?? [{}]).map((key) => addApiKey(typeof key === "string" ? { key } : key))
  const adminToken = options.adminToken ?? credential("hkadm_", random)
  for (const rule of options.faults ?? []) faults.add(rule)
  try {
    for (const [index, subscription] of (options.subscriptions ?? []).entries()) {
      subscribe(subscription, `subscriptions[${index}]`)
    }
  } catch (error) {
    clock.stop()
    throw error instanceof EmulatorError ? new EmulatorStartError(error.message, { option: error.option }) : error
  }

  const common = { host: settings.host, bodyTimeoutMs: settings.bodyTimeoutMs, clock, ledger }
  const producerSide = await listen({
    ...common,
    surface: "producer",
    port: settings.port,
    handle: producerHandler(core)
  })
  const tokens = new AdminTokens(adminToken)
  const adminSide = settings.adminPort === false ? undefined : await listen({
    ...common,
    surface: "admin",
    port: settings.adminPort,
    handle: adminHandler(core, tokens)
  }).catch(async (error: unknown) => {
    await producerSide.close()
    throw error
  })

  const { page } = settings
  const pageSide = page === undefined
    ? undefined
    : await listenForPage(page, async (port) => {
      const { pageHandler } = await import("./control/app.js")
      return pageHandler({ core, tokens, controls: emulator, settings: page, port, manual: manual !== undefined })
    })
      .catch(async (error: unknown) => {
        await Promise.all([producerSide.close(), adminSide?.close()])
        throw error
      })

  const settle = async (): Promise<void> => {
    while (dispatcher.busy) await dispatcher.changed()
  }
  // One at a time: two at once would move the clock back and forth.
  let advancing: Promise<unknown> = Promise.resolve()
  let closing: Promise<void> | undefined
  const close = (): Promise<void> =>
    closing ??= (async () => {
      dispatcher.close()
      sender.close()
      await Promise.all([producerSide.close(), adminSide?.close(), pageSide?.close()])
    })()

  /** What is prepared after the end is never used: a test would wait for it, or believe that it has happened. */
  const requireOpen = (): void => {
    if (closing !== undefined) throw new EmulatorError("the emulator is closed: start another one")
  }

  const emulator: Emulator = {
    url: producerSide.url,
    adminUrl: adminSide?.url ?? "",
    pageUrl: pageSide === undefined ? "" : `${pageSide.url}/#token=${page?.token}`,
    pageToken: page?.token ?? "",
    apiKey: apiKeys[0] ?? "",
    adminToken,
    addApiKey: (key) => {
      requireOpen()
      return addApiKey(key)
    },
    revokeApiKey: (key) => {
      const producer = producers.get(key)
      if (producer === undefined) throw new EmulatorError("there is no such producer key")
      producer.revoked = true
    },
    addEndpoint: (endpoint) => {
      requireOpen()
      check(checks.endpoint, endpoint)
      const { id, secret, url } = addEndpoint(endpoint)
      return { id, url, secret }
    },
    subscribe: (subscription) => {
      requireOpen()
      return subscribe(subscription)
    },
    rotateSecret: (id) => directory.rotateSecret(found(store.endpoints, id, "endpoint")),
    removeEndpoint: (id) => directory.remove(found(store.endpoints, id, "endpoint")),
    removeSubscription: (id) => directory.remove(found(store.subscriptions, id, "subscription")),
    setActive: (id, active) => {
      found(store.subscriptions, id, "subscription").active = active
      store.changed()
    },
    fault: (rule) => {
      requireOpen()
      check(checks.faultRule, rule)
      return faults.add(rule)
    },
    clearFaults: () => faults.clear(),
    setDatabase: (state) => {
      check(checks.databaseState, state, "state")
      surroundings.database = state
      if (state === "up") dispatcher.resume()
      store.changed()
    },
    setRedis: (state) => {
      check(checks.redisState, state, "state")
      surroundings.redis = state
      store.changed()
    },
    ledger: () => ledger.view(),
    clearLedger: () => ledger.clear(),
    now: () => clock.now(),
    advance: async (ms) => {
      requireOpen()
      if (manual === undefined) throw new EmulatorError("advance needs the option clock: \"manual\"")
      check(checks.millis, ms, "ms")
      const turn = advancing.then(() => manual.advance(ms, settle))
      advancing = turn.catch(() => {})
      await turn
      store.changed()
    },
    idle: async (wait) => {
      let late = false
      const timer = wait?.timeoutMs === undefined ? undefined : setTimeout(() => {
        late = true
        dispatcher.wake()
      }, wait.timeoutMs)
      try {
        while (dispatcher.busy || (manual === undefined && dispatcher.planned)) {
          if (closing !== undefined) throw new EmulatorError("the emulator was closed while deliveries were under way")
          if (late) throw new EmulatorError("deliveries are still under way")
          await dispatcher.changed()
        }
      } finally {
        clearTimeout(timer)
      }
    },
    pause: () => dispatcher.hold(true),
    resume: () => dispatcher.hold(false),
    openConnections: () => producerSide.openConnections(),
    close,
    [Symbol.asyncDispose]: close
  }
  return emulator
}
