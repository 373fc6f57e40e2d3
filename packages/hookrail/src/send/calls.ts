/** The operations of a client, as calls that can run in a fiber or start without one. */
import * as Redacted from "effect/Redacted"
import { defaultRuntime, type Runtime } from "effect/Runtime"
import { addressOf } from "../call/advice.js"
import { Calls, type OnRetry, type Scheduled } from "../call/calls.js"
import type { CallMetrics } from "../call/metrics.js"
import * as Gate from "../gate/gate.js"
import { defaults } from "../gate/pace.js"
import { loggedBy } from "../gate/report.js"
import type * as GateService from "../gate/service.js"
import type { HookrailConfig } from "../HookrailConfig.js"
import type * as IdempotencyKeys from "../IdempotencyKeys.js"
import type * as Transport from "../Transport.js"
import { Reader } from "./reader.js"
import { Sender } from "./sender.js"

export interface Dependencies {
  readonly config: HookrailConfig
  readonly transport: Transport.Service
  readonly keys: IdempotencyKeys.Service
  /** Default: a gate of its own. */
  readonly gate?: GateService.Service | undefined
  /** Where that one logs that it slows down. */
  readonly runtime?: Runtime<never> | undefined
  readonly scheduled: Scheduled
  readonly onRetry?: OnRetry | undefined
  readonly metrics?: CallMetrics | undefined
}

export interface ClientCalls {
  readonly sender: Sender
  readonly reader: Reader
}

export const make = (dependencies: Dependencies): ClientCalls => {
  const { config, keys, metrics, onRetry, scheduled, transport } = dependencies
  const gate = dependencies.gate ?? Gate.make(
    { ...defaults, maxInFlight: config.maxInFlight },
    loggedBy(dependencies.runtime ?? defaultRuntime)
  )
  const apiKey = Redacted.value(config.apiKey)
  const authorization = `Bearer ${apiKey}`
  const path = `${config.prefix}/v1/events`
  const address = addressOf(config.origin + config.prefix, config.baseUrlFrom, apiKey)
  const calls = new Calls(config, transport, gate, apiKey, scheduled, onRetry, metrics)
  return {
    sender: new Sender(config, calls, keys, authorization, path, address),
    reader: new Reader(config, calls, authorization, path, address)
  }
}
