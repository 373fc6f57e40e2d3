/**
 * How the orchestrator talks to its child processes: one order as a line of JSON on their stdin, one answer as a line of
 * JSON on their stdout. Any language can take part.
 */
import { createInterface } from "node:readline"

/** What the stub server says once it listens. */
export interface StubReady {
  readonly url: string
}

/** What reached the stub server since the last order. */
export interface StubCount {
  readonly requests: number
  /** Of all bodies together. */
  readonly bodyBytes: number
}

/** What a contender is to send. */
export interface Batch {
  readonly requests: number
  readonly concurrency: number
}

/** What is to be delivered to a receiver. */
export interface Deliveries extends Batch {
  readonly url: string
  /** How they are signed. */
  readonly scheme: "hookrail" | "svix"
}

/** What a receiver says of the time since it was last asked. */
export interface Received {
  readonly cpuMicros: number
}

/** What that took. */
export interface Cost {
  /** CPU time of the whole process, in microseconds: user and system, garbage collection and compilers included. */
  readonly cpuMicros: number
  readonly wallMicros: number
}

/** What a contender that streams gives beside the cost. */
export interface StreamCost extends Cost {
  readonly samples: ReadonlyArray<MemorySample>
}

export interface MemorySample {
  readonly events: number
  /** The lowest since the sample before: what remains after garbage collection. */
  readonly heapUsedBytes: number
  readonly rssBytes: number
}

/** A section that runs in one child process and answers with its rounds. */
export interface Rounds {
  /** Microseconds of CPU time per operation: by contender, one number per round. */
  readonly [contender: string]: ReadonlyArray<number>
}

export const say = (answer: unknown): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

/** Says hello, then answers orders one after the other until stdin ends. */
export const serve = async <Order, Answer>(
  hello: unknown,
  handle: (order: Order) => Answer | Promise<Answer>
): Promise<never> => {
  say(hello)
  for await (const line of createInterface({ input: process.stdin })) say(await handle(JSON.parse(line) as Order))
  process.exit()
}

/** Runs something and says what it took. */
export const costOf = async (run: () => unknown): Promise<Cost> => {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await run()
  const wallMicros = (performance.now() - start) * 1000
  const { system, user } = process.cpuUsage(cpu)
  return { cpuMicros: user + system, wallMicros }
}
