/** Sends many events in order, with as much in memory as is under way. */
import type { EventAccepted, EventInput, Events, Hookrail, SendEventsOptions, SendResult } from "./types.js"

/** The reason of an abort that comes from the reader. */
const stopped = new Error("nobody reads the results any more")

type Outcome = { readonly result: EventAccepted | SendResult } | { readonly error: unknown }

type Step =
  | { readonly from: "source"; readonly next: IteratorResult<EventInput> }
  | { readonly from: "source"; readonly error: unknown }
  | { readonly from: "head"; readonly outcome: Outcome }
  | { readonly from: "signal" }

/** @internal */
export const sendEvents = (
  client: Hookrail,
  events: Events,
  { concurrency, onError, signal }: SendEventsOptions = {}
): AsyncIterableIterator<EventAccepted | SendResult> => {
  const limit = Math.max(1, Math.floor(concurrency ?? 16) || 1)
  const controller = new AbortController()
  const steps = run()
  return {
    next: () => steps.next(),
    // A generator would answer only after the step that is under way.
    return: () => {
      controller.abort(stopped)
      return steps.return(undefined)
    },
    [Symbol.asyncIterator]() {
      return this
    }
  }

  async function* run(): AsyncGenerator<EventAccepted | SendResult, undefined> {
    const queue: Array<Promise<Outcome>> = []
    const lastOfKey = new Map<string, Promise<Outcome>>()
    let failure: { readonly error: unknown } | undefined
    let pull: Promise<Step> | undefined
    let exhausted = false
    let sourceFailure: { readonly error: unknown } | undefined

    const sendOne = async (input: EventInput): Promise<Outcome> => {
      const { idempotencyKey, orderingKey, payload, topic } = input
      try {
        const options = { idempotencyKey, orderingKey, signal: controller.signal }
        const accepted = await client.sendEvent(topic, payload, options)
        return { result: onError === "collect" ? { _tag: "Accepted", input, accepted } : accepted }
      } catch (error) {
        if (onError === "collect" && !controller.signal.aborted) return { result: { _tag: "Failed", input, error } }
        return failure = { error }
      }
    }

    const start = (input: EventInput): Promise<Outcome> => {
      const key = input?.orderingKey
      if (key === undefined) return sendOne(input)
      const previous = lastOfKey.get(key)
      const outcome = previous === undefined ? sendOne(input) : previous.then(() => failure ?? sendOne(input))
      lastOfKey.set(key, outcome)
      void outcome.then(() => {
        if (lastOfKey.get(key) === outcome) lastOfKey.delete(key)
      })
      return outcome
    }

    const onAbort = () => controller.abort(signal?.reason)
    if (signal?.aborted === true) onAbort()
    signal?.addEventListener("abort", onAbort)
    const aborted = new Promise<Step>((resolve) => {
      controller.signal.addEventListener("abort", () => resolve({ from: "signal" }), { once: true })
    })
    let source: Iterator<EventInput> | AsyncIterator<EventInput> | undefined
    try {
      while (true) {
        if (controller.signal.aborted) {
          if (controller.signal.reason === stopped) return
          throw controller.signal.reason
        }
        source ??= Symbol.asyncIterator in events ? events[Symbol.asyncIterator]() : events[Symbol.iterator]()
        const iterator = source
        if (!exhausted && failure === undefined && pull === undefined && queue.length < limit) {
          pull = (async () => iterator.next())().then(
            (next): Step => ({ from: "source", next }),
            (error: unknown): Step => ({ from: "source", error })
          )
        }
        const head = queue[0]
        if (head === undefined && (pull === undefined || failure !== undefined)) {
          const error = failure ?? sourceFailure
          if (error !== undefined) throw error.error
          return
        }
        const waits = [aborted]
        if (head !== undefined) waits.push(head.then((outcome): Step => ({ from: "head", outcome })))
        if (pull !== undefined) waits.push(pull)
        const step = await Promise.race(waits)
        if (step.from === "head") {
          void queue.shift()
          if ("error" in step.outcome) throw step.outcome.error
          yield step.outcome.result
        } else if (step.from === "source") {
          pull = undefined
          if ("error" in step) {
            exhausted = true
            sourceFailure = step
          } else if (step.next.done === true) exhausted = true
          else queue.push(start(step.next.value))
        }
      }
    } finally {
      signal?.removeEventListener("abort", onAbort)
      controller.abort(stopped)
      // A source that is still asked for an event may never answer: it is told, but not waited for.
      const closing = exhausted ? undefined : (async () => source?.return?.())()
      if (pull === undefined) await closing
      else void closing?.catch(() => {})
      await Promise.all(queue)
    }
  }
}
