/** Shared by all contenders of the section "send". */
import { apiKey, payload, topic } from "./payload.js"
import type { Batch } from "./protocol.js"
import { costOf, serve } from "./protocol.js"

/** The URL of the stub server. */
export const url = process.argv[2]!

/** The request of the raw clients: the same bytes as from a Hookrail client. */
export const headers = (): Record<string, string> => ({
  authorization: `Bearer ${apiKey}`,
  "user-agent": "hookrail-bench/0.0.0",
  accept: "application/json",
  "content-type": "application/json",
  "idempotency-key": crypto.randomUUID()
})

export const body = (): string => JSON.stringify({ topic, payload })

/** Fails if the response is not the expected one. */
export const check = (status: number, text: string): void => {
  const answer = JSON.parse(text) as { readonly event_id?: string }
  if (status !== 202 || answer.event_id?.length !== 26) throw new Error(`unexpected answer ${status}: ${text}`)
}

/** Runs batches until the orchestrator closes stdin. */
export const contend = (run: (batch: Batch) => Promise<unknown>): Promise<never> =>
  serve("ready", (batch: Batch) => costOf(() => run(batch)))

/** A promise-based client. */
export const contendWithPromises = (send: () => Promise<void>): Promise<never> =>
  contend(({ concurrency, requests }) => {
    let left = requests
    const worker = async (): Promise<void> => {
      while (left-- > 0) await send()
    }
    return Promise.all(Array.from({ length: concurrency }, worker))
  })
