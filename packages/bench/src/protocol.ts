/**
 * How the orchestrator talks to its child processes: each order is a line of JSON on their stdin, each answer a line of JSON on
 * their stdout. They can be written in any language.
 */
import { createInterface } from "node:readline"

/** The first line of the stub server, once it listens. */
export interface StubReady {
  readonly url: string
}

/** What the stub server has received since the last order. */
export interface StubCount {
  readonly requests: number
  /** The total of all bodies. */
  readonly bodyBytes: number
}

/** The order to send a number of requests. */
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

/** What a batch cost. */
export interface Cost {
  /** CPU time of the whole process, user and system, in microseconds; including garbage collection and compilers. */
  readonly cpuMicros: number
  readonly wallMicros: number
}

/** What a streaming contender reports in addition to the cost. */
export interface StreamCost extends Cost {
  readonly samples: ReadonlyArray<MemorySample>
}

export interface MemorySample {
  readonly events: number
  /** The minimum since the previous sample: what remains after garbage collection. */
  readonly heapUsedBytes: number
  readonly rssBytes: number
}

/** Microseconds per event that was stored. */
export interface EnqueueRound {
  readonly micros: number
  /** CPU time, of the program and of its connection's process in the database; `null` where the system does not tell. */
  readonly cpuMicros: number | null
}

/** What a backlog was like when a part of it was sent. */
export interface BacklogSample extends MemorySample {
  /** Of this part. */
  readonly millisPerThousand: number
  /** The same of a small backlog, right before. */
  readonly smallMillis: number
  readonly tableMegabytes: number
  readonly indexMegabytes: number
  readonly deadRows: number
}

/** A large backlog, next to small ones. */
export interface BacklogResult {
  readonly rows: number
  readonly small: number
  readonly samples: ReadonlyArray<BacklogSample>
  /** Events that were not sent. */
  readonly left: number
  /** After the end, and a plain `vacuum`. */
  readonly vacuumed: Pick<BacklogSample, "tableMegabytes" | "indexMegabytes" | "deadRows">
}

/** The answer of a section that runs in one child process: its rounds. */
export interface Rounds {
  /** CPU microseconds per operation, by contender, one number per round. */
  readonly [contender: string]: ReadonlyArray<number>
}

export const say = (answer: unknown): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

/** Prints its first line, then answers orders one after the other until stdin ends. */
export const serve = async <Order, Answer>(
  hello: unknown,
  handle: (order: Order) => Answer | Promise<Answer>
): Promise<never> => {
  say(hello)
  for await (const line of createInterface({ input: process.stdin })) say(await handle(JSON.parse(line) as Order))
  process.exit()
}

/** Runs a function and returns what it cost. */
export const costOf = async (run: () => unknown): Promise<Cost> => {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await run()
  const wallMicros = (performance.now() - start) * 1000
  const { system, user } = process.cpuUsage(cpu)
  return { cpuMicros: user + system, wallMicros }
}
