import type { Dispatcher } from "undici"
import { Pool } from "undici"
import { body, check, contendWithPromises, headers, url } from "../contend.js"

const pool = new Pool(url, { connections: 64 })

/** A minimal handler of undici's older interface, which undici still uses internally. */
class Handler {
  private status = 0
  private text = ""
  constructor(private readonly resolve: () => void, private readonly reject: (error: unknown) => void) {}
  onConnect(): void {}
  onHeaders(status: number): boolean {
    this.status = status
    return true
  }
  onData(chunk: Buffer): boolean {
    this.text += chunk.toString()
    return true
  }
  onComplete(): void {
    try {
      check(this.status, this.text)
      this.resolve()
    } catch (error) {
      this.reject(error)
    }
  }
  onError(error: unknown): void {
    this.reject(error)
  }
}

await contendWithPromises(() =>
  new Promise<void>((resolve, reject) => {
    pool.dispatch(
      { method: "POST", path: "/v1/events", headers: headers(), body: body() },
      new Handler(resolve, reject) as unknown as Dispatcher.DispatchHandler
    )
  })
)
