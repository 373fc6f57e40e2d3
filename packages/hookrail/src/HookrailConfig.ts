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
import type { ClientOptions } from "./options/model.js"
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
  readonly baseUrlFrom: "baseUrl" | "HOOKRAIL_BASE_URL" | "default"
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

const apiKeyOf = (
  options: Options,
  environment: Environment
): Effect.Effect<Redacted.Redacted<string>, HookrailConfigError> =>
  options.apiKey !== undefined
    ? checkApiKey(options.apiKey, "apiKey")
    : Effect.flatMap(environment("HOOKRAIL_API_KEY"), (text) => {
      const key = filled(text)
      return key === undefined
        ? fail("apiKey", "it is missing: pass apiKey, or set HOOKRAIL_API_KEY")
        : checkApiKey(Redacted.make(key), "HOOKRAIL_API_KEY")
    })

const checkApiKey = (apiKey: Redacted.Redacted<string>, option: string) => {
  if (!Redacted.isRedacted(apiKey)) return fail(option, "must be a Redacted text: wrap it in Redacted.make")
  const key: unknown = Redacted.value(apiKey)
  if (typeof key !== "string" || key.trim() === "") return fail(option, "it is empty")
  if (!/^[!-~]+$/.test(key)) {
    return fail(option, "it has a blank, a line break or another character that no key has, perhaps at its end")
  }
  return Effect.succeed(apiKey)
}

type BaseUrl = Pick<HookrailConfig, "origin" | "prefix" | "baseUrlFrom">

const baseUrlOf = (options: Options, environment: Environment): Effect.Effect<BaseUrl, HookrailConfigError> =>
  options.baseUrl !== undefined
    ? checkBaseUrl(String(options.baseUrl), "baseUrl")
    : Effect.flatMap(environment("HOOKRAIL_BASE_URL"), (text) => {
      const url = filled(text)
      return url === undefined
        ? checkBaseUrl("http://localhost:8080", "default")
        : checkBaseUrl(url, "HOOKRAIL_BASE_URL")
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
    : fail("retry", "must be a policy, the settings of one, a Schedule, or false")
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
      if (!dangerouslyAllowBrowser && isBrowser(globalThis as Surroundings)) {
        return fail(
          "dangerouslyAllowBrowser",
          "everybody can read the API key in a browser: send from your server, or pass true if the key may be public"
        )
      }
      const userAgent = `hookrail-typescript/${version}${appInfo}`
      // Not by `Effect.gen`, which the facade would contain for this alone.
      return Effect.flatMap(apiKeyOf(options, environment), (apiKey) =>
        Effect.flatMap(baseUrlOf(options, environment), (baseUrl) =>
          Effect.map(resolveRetry(options.retry), (retry) => ({ apiKey, ...baseUrl, ...settings, retry, userAgent }))))
    }
  )

const checks = {
  apiKey: anything<Options["apiKey"]>,
  baseUrl: anything<Options["baseUrl"]>,
  retry: anything<Options["retry"]>,
  timeout: withDefault(positiveDuration, 15_000),
  responseTimeout: withDefault(positiveDuration, 10_000),
  maxInFlight: withDefault(wholeNumber(), 64),
  onUnmatched: withDefault(oneOf("log", "ignore", "fail"), "log"),
  probeOutages: withDefault(flag, true),
  appInfo: withDefault(appInfo, ""),
  dangerouslyAllowBrowser: withDefault(flag, false),
  propagateTrace: withDefault(flag, false)
}

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
export type ConfigOptions =
  & { readonly [K in Exclude<keyof Options, "retry">]?: Config.Config<NonNullable<Options[K]>> | undefined }
  & { readonly retry?: Retry | undefined }

/**
 * Resolves options that are `Config`s.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromConfig = ({ retry, ...configs }: ConfigOptions): Effect.Effect<Options, ConfigError.ConfigError> => {
  const given: Record<string, Config.Config<unknown>> = {}
  for (const [name, config] of Object.entries(configs)) {
    // An undefined option counts as absent; `Config.all` would die on it.
    if (config !== undefined) given[name] = config
  }
  return Effect.map(Config.all(given), (options) => ({ ...options, retry }))
}
