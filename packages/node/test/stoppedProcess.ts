/** Stops this process, as a signal or a suspended machine would, while a server answers. */
import { Effect, type Scope } from "effect"
import { Worker } from "node:worker_threads"

/** Runs in a thread of its own, which goes on meanwhile. It answers as soon as this one stands still. */
const program = `
  const { createServer } = require("node:http")
  const { parentPort, workerData } = require("node:worker_threads")
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      Atomics.store(workerData, 0, 1)
      const answer = setInterval(() => {
        if (Atomics.load(workerData, 1) === 0) return
        clearInterval(answer)
        response.end("answer", () => Atomics.store(workerData, 2, 1))
      }, 1)
    })
  })
  server.listen(0, "127.0.0.1", () => parentPort.postMessage("http://127.0.0.1:" + server.address().port))
`

export interface StoppedProcess {
  readonly origin: string
  /** The server has the request. */
  readonly hasRequest: () => boolean
  /** Stands still until the answer is in the socket, and for some milliseconds more. */
  readonly stop: (millis: number) => void
}

export const make: Effect.Effect<StoppedProcess, never, Scope.Scope> = Effect.gen(function*() {
  const flags = new Int32Array(new SharedArrayBuffer(12))
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(program, { eval: true, workerData: flags })),
    (worker) => Effect.promise(() => worker.terminate())
  )
  const origin = yield* Effect.async<string>((resume) => {
    worker.once("message", (origin: string) => resume(Effect.succeed(origin)))
  })
  return {
    origin,
    hasRequest: () => Atomics.load(flags, 0) === 1,
    stop: (millis) => {
      Atomics.store(flags, 1, 1)
      while (Atomics.load(flags, 2) === 0);
      const end = performance.now() + millis
      while (performance.now() < end);
    }
  }
})
