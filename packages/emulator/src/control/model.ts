import type { AdminTokens } from "../admin/tokens.js"
import type { Core } from "../core.js"
import type { FaultHandle, FaultRule } from "../faults.js"
import type { DatabaseState } from "../model.js"
import type { SubscribeOptions } from "../options/options.js"
import type { PageSettings } from "../options/settings.js"

/** What the calls use of the running emulator. */
export interface Controls {
  readonly url: string
  readonly adminUrl: string
  readonly apiKey: string
  readonly addApiKey: (options?: { readonly key?: string | undefined }) => string
  readonly subscribe: (options: SubscribeOptions) => { readonly id: string; readonly endpointId: string }
  readonly removeSubscription: (subscriptionId: string) => void
  readonly setActive: (subscriptionId: string, active: boolean) => void
  readonly fault: (rule: FaultRule) => FaultHandle
  readonly clearFaults: () => void
  readonly setDatabase: (state: DatabaseState) => void
  readonly setRedis: (state: "up" | "down") => void
  readonly now: () => number
  readonly advance: (ms: number) => Promise<void>
  readonly idle: (options?: { readonly timeoutMs?: number | undefined }) => Promise<void>
  readonly pause: () => void
  readonly resume: () => void
}

/** The parts that the calls work with. */
export interface Parts {
  readonly core: Core
  readonly tokens: AdminTokens
  readonly controls: Controls
  readonly settings: PageSettings
  readonly port: number
  /** Whether the clock only moves when told to. */
  readonly manual: boolean
}

/** One call, its token checked. */
export interface Call {
  readonly parts: Parts
  readonly params: Readonly<Record<string, string>>
  /** The query of the URL, decoded. */
  readonly query: URLSearchParams
  /** The JSON of the body; `undefined` for routes that take none. */
  readonly body: unknown
}
