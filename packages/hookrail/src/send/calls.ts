/** The operations of a client, as calls that can run in a fiber or start without one. */
import * as Redacted from "effect/Redacted"
import { addressOf } from "../call/advice.js"
import { Calls, type OnRetry } from "../call/calls.js"
import type { CallMetrics } from "../call/metrics.js"
import type { Scheduled } from "../call/pauses.js"
import type { Log } from "../fiber/log.js"
import * as Gate from "../gate/gate.js"
import { defaults } from "../gate/pace.js"
import type { Report } from "../gate/report.js"
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
  /** Is told when that one slows down. */
  readonly report: Report
  readonly log: Log
  readonly scheduled: Scheduled
  readonly onRetry?: OnRetry | undefined
  readonly metrics?: CallMetrics | undefined
}

export interface ClientCalls {
  readonly sender: Sender
  readonly reader: Reader
}

export const make = (dependencies: Dependencies): ClientCalls => {
  const { config, keys, log, metrics, onRetry, report, scheduled, transport } = dependencies
  const gate = dependencies.gate ?? Gate.make({ ...defaults, maxInFlight: config.maxInFlight }, report)
  const apiKey = Redacted.value(config.apiKey)
  const authorization = `Bearer ${apiKey}`
  const path = `${config.prefix}/v1/events`
  const address = addressOf(config.origin + config.prefix, config.baseUrlFrom, apiKey)
  const calls = new Calls(config, transport, gate, apiKey, scheduled, onRetry, metrics)
  return {
    sender: new Sender(config, calls, keys, authorization, path, address, log),
    reader: new Reader(config, calls, authorization, path, address)
  }
}
