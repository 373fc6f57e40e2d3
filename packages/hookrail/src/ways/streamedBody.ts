import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Abortable, Callback, type Listener } from "../fiber/callback.js"
import type { BodyListener, UnreadableBody } from "../receive/model.js"
import { Collector } from "./body.js"

type Listen = (listener: BodyListener) => () => void

const aborted: UnreadableBody = { reason: "aborted" }

const tooLarge: UnreadableBody = { reason: "too-large" }

/** A body that is being received. It ends once; anything later is ignored. */
class Listening implements BodyListener, Abortable {
  private readonly collector = new Collector()
  private leave: (() => void) | undefined
  private isOver = false
  private isStopped = false

  constructor(private readonly limit: number, private readonly listener: Listener<Uint8Array, UnreadableBody>) {}

  begin(listen: Listen): void {
    this.leave = listen(this)
    // Buffered data may have arrived, and ended it, during `listen`.
    if (this.isStopped) this.stop()
  }

  onChunk(chunk: Uint8Array): void {
    if (this.isOver) return
    this.collector.add(chunk)
    if (this.collector.size <= this.limit) return
    this.stop()
    this.end(Exit.fail(tooLarge))
  }

  onEnd(): void {
    this.end(Exit.succeed(this.collector.joined()))
  }

  onAbort(): void {
    this.end(Exit.fail(aborted))
  }

  abort(): void {
    if (this.isOver) return
    this.isOver = true
    this.stop()
  }

  private stop(): void {
    this.isStopped = true
    this.leave?.()
    this.leave = undefined
  }

  private end(exit: Exit.Exit<Uint8Array, UnreadableBody>): void {
    if (this.isOver) return
    this.isOver = true
    this.listener.resume(exit)
  }
}

class StreamedBody extends Callback<Uint8Array, UnreadableBody> {
  constructor(private readonly limit: number, private readonly listen: Listen) {
    super()
  }

  begin(listener: Listener<Uint8Array, UnreadableBody>): Abortable {
    const listening = new Listening(this.limit, listener)
    listening.begin(this.listen)
    return listening
  }
}

/** See `Webhooks.streamedBody`. */
export const streamedBody = (limit: number, listen: Listen): Effect.Effect<Uint8Array, UnreadableBody> =>
  new StreamedBody(limit, listen)
