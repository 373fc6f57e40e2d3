/** What all contenders of the section "send" have in common. */
import { apiKey, payload, topic } from "./payload.js"
import type { Batch } from "./protocol.js"
import { costOf, serve } from "./protocol.js"

/** Where the stub server listens. */
export const url = process.argv[2]!

/** What the raw clients send per request, so that the same bytes go over the wire as with a client of Hookrail. */
export const headers = (): Record<string, string> => ({
  authorization: `Bearer ${apiKey}`,
  "user-agent": "hookrail-bench/0.0.0",
  accept: "application/json",
  "content-type": "application/json",
  "idempotency-key": crypto.randomUUID()
})

export const body = (): string => JSON.stringify({ topic, payload })

/** Fails a contender whose answer is not the promised one. */
export const check = (status: number, text: string): void => {
  const answer = JSON.parse(text) as { readonly event_id?: string }
  if (status !== 202 || answer.event_id?.length !== 26) throw new Error(`unexpected answer ${status}: ${text}`)
}

/** Answers batches until the orchestrator has had enough. */
export const contend = (run: (batch: Batch) => Promise<unknown>): Promise<never> =>
  serve("ready", (batch: Batch) => costOf(() => run(batch)))

/** A client that gives promises. */
export const contendWithPromises = (send: () => Promise<void>): Promise<never> =>
  contend(({ concurrency, requests }) => {
    let left = requests
    const worker = async (): Promise<void> => {
      while (left-- > 0) await send()
    }
    return Promise.all(Array.from({ length: concurrency }, worker))
  })
