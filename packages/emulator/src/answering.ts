import type { Core } from "./core.js"
import type { AnswerFaultAction, FaultMoment, FaultPoint } from "./faults.js"
import { problem } from "./http/problem.js"
import type { Exchange } from "./http/server.js"
import type { Answer } from "./http/wire.js"
import type { DatabaseState } from "./model.js"

const faultAnswer = (fault: AnswerFaultAction & { readonly kind: "status" | "garbage" }): Answer => {
  if (fault.kind === "garbage") {
    return { status: fault.status ?? 202, headers: { "Content-Type": "application/json" }, body: fault.body }
  }
  const headers = {
    ...(fault.retryAfter === undefined ? {} : { "Retry-After": fault.retryAfter }),
    ...fault.headers
  }
  if (fault.problem === undefined) return { status: fault.status, headers, body: fault.body ?? "" }
  return problem(fault.status, fault.problem.title, fault.problem.detail, headers)
}

const momentOf = (fault: AnswerFaultAction): FaultMoment => {
  switch (fault.kind) {
    case "status":
    case "reset":
    case "close":
    case "stall":
      return fault.when ?? "before"
    case "garbage":
      return fault.when ?? "after"
    default:
      return "after"
  }
}

/** Closes in order. The rest of the request is read first: closing with unread bytes would send a reset. */
const closeQuietly = (exchange: Exchange): void => {
  const { request } = exchange
  const end = (): void => {
    request.socket.end()
  }
  if (request.complete) return end()
  request.once("end", end)
  request.once("error", () => {})
  request.resume()
}

const drip = (exchange: Exchange, answer: Answer, chunkBytes: number, everyMs: number): void => {
  const { response } = exchange
  const bytes = Buffer.from(answer.body, "utf8")
  let at = 0
  exchange.head(answer)
  response.flushHeaders()
  const step = (): void => {
    if (response.destroyed) return
    if (at >= bytes.length) return void response.end()
    response.write(bytes.subarray(at, at += Math.max(1, chunkBytes)))
    const timer = setTimeout(step, everyMs)
    response.once("close", () => clearTimeout(timer))
  }
  step()
}

/** Applies a fault; `answer` is absent if the request was not processed. */
const spoil = (exchange: Exchange, fault: AnswerFaultAction, answer: Answer | undefined): void => {
  const { request, response } = exchange
  switch (fault.kind) {
    case "status":
    case "garbage":
      return exchange.send(faultAnswer(fault))
    case "reset":
      exchange.settle("reset", answer)
      request.socket.resetAndDestroy()
      return
    case "close":
      exchange.settle("closed", answer)
      return closeQuietly(exchange)
    case "stall":
      exchange.settle("stalled", answer)
      request.resume()
      return
  }
  if (answer === undefined) return
  switch (fault.kind) {
    case "truncate":
      exchange.settle("truncated", answer)
      exchange.head(answer)
      response.write(Buffer.from(answer.body, "utf8").subarray(0, fault.bytes))
      return closeQuietly(exchange)
    case "drip":
      exchange.settle("answered", answer)
      return drip(exchange, answer, fault.chunkBytes, fault.everyMs)
    default:
      return exchange.send(answer)
  }
}

/**
 * Answers a request and applies the matching fault. `topicOf` is called only if a rule needs the topic; `process` does the
 * work and is given the state of the database for this request.
 */
export const respond = async (
  core: Core,
  exchange: Exchange,
  point: Exclude<FaultPoint, "delivery">,
  topicOf: () => Promise<string | undefined>,
  process: (database: DatabaseState) => Promise<Answer> | Answer
): Promise<void> => {
  const { clock, faults, surroundings } = core
  const fault = faults.forAnswer(point, faults.needTopic(point) ? await topicOf() : undefined)
  if (fault === undefined) return exchange.send(await process(surroundings.database))
  exchange.entry.fault = fault.kind
  if (momentOf(fault) === "before") return spoil(exchange, fault, undefined)
  const answer = await process(fault.kind === "database" ? fault.state ?? "down" : surroundings.database)
  if (fault.kind === "delay") {
    clock.at(clock.now() + fault.ms, () => exchange.send(answer))
    return
  }
  spoil(exchange, fault, answer)
}
