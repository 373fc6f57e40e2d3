/**
 * The settings of a client: from options, from `Config`, or from the environment.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { HookrailConfigError, type RetryableError } from "./HookrailError.js"
import { appInfo } from "./options/appInfo.js"
import { isBrowser, type Surroundings } from "./options/browser.js"
import { anything, flag, oneOf, wholeNumber, withDefault } from "./options/check.js"
import { positiveDuration } from "./options/duration.js"
import { configured, type Environment } from "./options/environment.js"
import type { AdminClientOptions, ClientOptions } from "./options/model.js"
import { checkOptions } from "./options/settings.js"
import * as RetryPolicy from "./RetryPolicy.js"

export {
  anything,
  type Check,
  type Checked,
  type Checks,
  flag,
  oneOf,
  wholeNumber,
  withDefault
} from "./options/check.js"
export { duration } from "./options/duration.js"
export { configured, type Environment } from "./options/environment.js"
export { checkOptions } from "./options/settings.js"

/**
 * How failed attempts are retried: a policy, the settings of one, your own `Schedule` over the error, or `false` for a single
 * request. A `Schedule` sees only retryable errors; `RetryPolicy.respectRetryAfter` makes it honour `Retry-After`.
 *
 * @since 0.1.0
 * @category models
 */
export type Retry = RetryPolicy.RetryPolicy | RetryPolicy.Options | Schedule.Schedule<unknown, RetryableError> | false

/**
 * The options of a client. All are optional: the API key and base URL default to the environment.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends ClientOptions<Redacted.Redacted<string>, Duration.DurationInput, Retry> {
  /**
   * Whether the span of a send reaches the handler of the event, in the member `hookrail_traceparent` of its payload. Only for
   * sends without an idempotency key of their own. Default false: receivers see the member unless they use this library.
   */
  readonly propagateTrace?: boolean | undefined
}

/**
 * The options of an admin client. All are optional: token and base URL default to the environment.
 *
 * @since 0.1.0
 * @category models
 */
export interface AdminOptions extends AdminClientOptions<Redacted.Redacted<string>, Duration.DurationInput, Retry> {}

/**
 * Validated settings. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface HookrailConfig {
  readonly apiKey: Redacted.Redacted<string>
  /** Scheme, host and port. */
  readonly origin: string
  /** The path before `/v1`: empty, or with a leading slash and no trailing one. */
  readonly prefix: string
  /** Where the base URL is from: the option, the environment, or neither. */
  readonly baseUrlFrom: "baseUrl" | "HOOKRAIL_BASE_URL" | "HOOKRAIL_ADMIN_URL" | "default"
  readonly timeout: number
  readonly responseTimeout: number
  readonly retry: RetryPolicy.RetryPolicy | Schedule.Schedule<unknown, RetryableError>
  readonly maxInFlight: number
  readonly onUnmatched: "log" | "ignore" | "fail"
  readonly probeOutages: boolean
  readonly propagateTrace: boolean
  readonly userAgent: string
}

/** The build sets it to the version in package.json. */
declare const HOOKRAIL_VERSION: string | undefined

const version: string = typeof HOOKRAIL_VERSION === "string" ? HOOKRAIL_VERSION : "dev"

const fail = (option: string, reason: string) => Effect.fail(new HookrailConfigError({ option, reason }))

/** A blank value counts as absent, such as an empty assignment in a `.env` file. */
const filled = (text: string | undefined): string | undefined => text?.trim() === "" ? undefined : text

/** Where a client finds what its options leave out. */
interface Sources {
  /** The option for its credential, and the variable. */
  readonly credential: readonly [option: string, variable: string]
  /** The variable for its base URL, and the default. */
  readonly baseUrl: readonly [variable: "HOOKRAIL_BASE_URL" | "HOOKRAIL_ADMIN_URL", fallback: string]
}

const producer: Sources = {
  credential: ["apiKey", "HOOKRAIL_API_KEY"],
  baseUrl: ["HOOKRAIL_BASE_URL", "http://localhost:8080"]
}

const administrator: Sources = {
  credential: ["adminToken", "HOOKRAIL_ADMIN_TOKEN"],
  baseUrl: ["HOOKRAIL_ADMIN_URL", "http://127.0.0.1:8082"]
}

const credentialOf = (
  given: Redacted.Redacted<string> | undefined,
  { credential: [option, variable] }: Sources,
  environment: Environment
): Effect.Effect<Redacted.Redacted<string>, HookrailConfigError> =>
  given !== undefined
    ? checkCredential(given, option, option)
    : Effect.flatMap(environment(variable), (text) => {
      const key = filled(text)
      return key === undefined
        ? fail(option, `it is missing: pass ${option}, or set ${variable}`)
        : checkCredential(Redacted.make(key), variable, option)
    })

const checkCredential = (credential: Redacted.Redacted<string>, option: string, kind: string) => {
  if (!Redacted.isRedacted(credential)) return fail(option, "must be a Redacted text: wrap it in Redacted.make")
  const key: unknown = Redacted.value(credential)
  if (typeof key !== "string" || key.trim() === "") return fail(option, "it is empty")
  if (/^["'`]|["'`]$/.test(key)) return fail(option, "it is in quotes: leave them out")
  if (key === "undefined" || key === "null") return fail(option, `it is the text ${key}: was a variable not set?`)
  // Protocol section 3. The admin token of a server's environment may begin with anything.
  const [prefix] = (kind === "apiKey" ? /^(hkadm|whsec)_/ : /^whsec_/).exec(key) ?? []
  if (prefix !== undefined) {
    const what = prefix === "whsec_" ? "a webhook secret" : "an admin token"
    return fail(option, `it is ${what} (${prefix}): give ${kind === "apiKey" ? "an API key (hk_)" : "an admin token"}`)
  }
  if (!/^[!-~]+$/.test(key)) {
    return fail(option, "it has a blank, a line break or another character that no key has, perhaps at its end")
  }
  return Effect.succeed(credential)
}

type BaseUrl = Pick<HookrailConfig, "origin" | "prefix" | "baseUrlFrom">

const baseUrlOf = (
  given: string | URL | undefined,
  { baseUrl: [variable, fallback] }: Sources,
  environment: Environment
): Effect.Effect<BaseUrl, HookrailConfigError> =>
  given !== undefined
    ? checkBaseUrl(String(given), "baseUrl")
    : Effect.flatMap(environment(variable), (text) => {
      const url = filled(text)
      return url === undefined ? checkBaseUrl(fallback, "default") : checkBaseUrl(url, variable)
    })

const checkBaseUrl = (
  text: string,
  option: BaseUrl["baseUrlFrom"]
): Effect.Effect<BaseUrl, HookrailConfigError> => {
  let url: URL
  try {
    url = new URL(text.trim())
  } catch {
    return fail(option, "it is not a URL: give one such as https://hooks.example.com")
  }
  // "localhost:8080" parses as a URL with the scheme "localhost".
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return fail(option, "it must begin with http:// or https://")
  }
  if (url.username !== "" || url.password !== "") return fail(option, "it must not hold a user name or password")
  // `search` and `hash` are empty for a lone "?" or "#" too, but it would still cut off the path.
  if (/[?#]/.test(url.href)) return fail(option, "it must not have a query or a fragment")
  return Effect.succeed({ origin: url.origin, prefix: url.pathname.replace(/\/+$/, ""), baseUrlFrom: option })
}

/**
 * The policy or schedule that a `retry` option stands for.
 *
 * @since 0.1.0
 * @category constructors
 */
export const resolveRetry = (
  retry: Retry | undefined
): Effect.Effect<RetryPolicy.RetryPolicy | Schedule.Schedule<unknown, RetryableError>, HookrailConfigError> => {
  if (retry === undefined) return Effect.succeed(RetryPolicy.standard)
  if (retry === false) return Effect.succeed(RetryPolicy.none)
  if (Schedule.isSchedule(retry)) return Effect.succeed(retry as Schedule.Schedule<unknown, RetryableError>)
  if (RetryPolicy.isRetryPolicy(retry)) return Effect.succeed(retry)
  return typeof retry === "object" && retry !== null
    ? RetryPolicy.make(retry as RetryPolicy.Options)
    : fail("retry", "must be settings such as { maxRetries: 5 }, false, or (with Effect) a Schedule")
}

/**
 * Validates options and reads missing ones from the environment, through the `ConfigProvider`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<HookrailConfig, HookrailConfigError> =>
  makeFrom(options, configured)

/**
 * The same, with another source for what the options leave out.
 *
 * @internal
 */
export const makeFrom = (
  options: Options,
  environment: Environment
): Effect.Effect<HookrailConfig, HookrailConfigError> =>
  Effect.flatMap(
    checkOptions(options, checks),
    ({ apiKey: _, appInfo, baseUrl: _url, dangerouslyAllowBrowser, retry: _retry, ...settings }) => {
      const advice = "send from your server, or pass true if the key may be public"
      return Effect.flatMap(checkBrowser(dangerouslyAllowBrowser, "the API key", advice), () =>
        complete(options.apiKey, options, producer, environment, appInfo, settings))
    }
  )

/** Adds what is read from the environment. Not by `Effect.gen`, which the facade would contain for this alone. */
const complete = <Settings extends object>(
  given: Redacted.Redacted<string> | undefined,
  { baseUrl, retry }: Pick<Options, "baseUrl" | "retry">,
  sources: Sources,
  environment: Environment,
  appInfo: string,
  settings: Settings
) =>
  Effect.flatMap(
    credentialOf(given, sources, environment),
    (apiKey) =>
      Effect.flatMap(baseUrlOf(baseUrl, sources, environment), (address) =>
        Effect.map(
          resolveRetry(retry),
          (retry) => ({ apiKey, ...address, ...settings, retry, userAgent: userAgent(appInfo) })
        ))
  )

const userAgent = (appInfo: string): string => `hookrail-typescript/${version}${appInfo}`

const checkBrowser = (isAllowed: boolean, what: string, advice: string): Effect.Effect<void, HookrailConfigError> =>
  !isAllowed && isBrowser(globalThis as Surroundings)
    ? fail("dangerouslyAllowBrowser", `everybody can read ${what} in a browser: ${advice}`)
    : Effect.void

/**
 * The settings of an admin client. Its token is in `apiKey`.
 *
 * @internal
 */
export const makeAdminFrom = (
  options: AdminOptions,
  environment: Environment
): Effect.Effect<HookrailConfig, HookrailConfigError> =>
  Effect.flatMap(
    checkOptions(options, adminChecks),
    ({ adminToken: _, appInfo, baseUrl: _url, dangerouslyAllowBrowser, retry: _retry, ...settings }) =>
      Effect.flatMap(checkBrowser(dangerouslyAllowBrowser, "the admin token", "call from your server"), () =>
        complete(options.adminToken, options, administrator, environment, appInfo, {
          ...settings,
          onUnmatched: "ignore" as const,
          propagateTrace: false
        }))
  )

const common = {
  baseUrl: anything<Options["baseUrl"]>,
  retry: anything<Options["retry"]>,
  timeout: withDefault(positiveDuration, 15_000),
  responseTimeout: withDefault(positiveDuration, 10_000),
  maxInFlight: withDefault(wholeNumber(), 64),
  probeOutages: withDefault(flag, true),
  appInfo: withDefault(appInfo, ""),
  dangerouslyAllowBrowser: withDefault(flag, false)
}

/** By a call, which a bundler can leave out if nobody uses its result. */
const withCommon = <First, Last>(first: First, last: Last): First & typeof common & Last => ({
  ...first,
  ...common,
  ...last
})

const checks = withCommon({ apiKey: anything<Options["apiKey"]> }, {
  onUnmatched: withDefault(oneOf("log", "ignore", "fail"), "log"),
  propagateTrace: withDefault(flag, false)
})

const adminChecks = withCommon({ adminToken: anything<AdminOptions["adminToken"]> }, {})

/**
 * The names of the options of an admin client.
 *
 * @internal
 */
export const adminOptionNames: ReadonlyArray<string> = Object.keys(adminChecks)

/**
 * The names of all options.
 *
 * @internal
 */
export const optionNames: ReadonlyArray<string> = Object.keys(checks)

/**
 * Options whose values are `Config`s, except `retry`.
 *
 * @since 0.1.0
 * @category models
 */
export type ConfigOptions = Configs<Options>

/**
 * Options of an admin client whose values are `Config`s, except `retry`.
 *
 * @since 0.1.0
 * @category models
 */
export type AdminConfigOptions = Configs<AdminOptions>

type Configs<All> =
  & { readonly [K in Exclude<keyof All, "retry">]?: Config.Config<NonNullable<All[K]>> | undefined }
  & { readonly retry?: Retry | undefined }

/**
 * Resolves options that are `Config`s.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromConfig = <All extends Options | AdminOptions = Options>(
  { retry, ...configs }: Configs<All>
): Effect.Effect<All, ConfigError.ConfigError> => {
  const given: Record<string, Config.Config<unknown>> = {}
  for (const [name, config] of Object.entries(configs as Record<string, Config.Config<unknown> | undefined>)) {
    // An undefined option counts as absent, and a plain value is checked with the others; `Config.all` would die on them.
    if (config !== undefined) given[name] = Config.isConfig(config) ? config : Config.succeed<unknown>(config)
  }
  return Effect.map(Config.all(given), (options) => ({ ...options, retry }) as unknown as All)
}
