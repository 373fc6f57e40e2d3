import { assert, it } from "@effect/vitest"
import { Answers } from "../src/transport/answers.js"
import { Deadlines } from "../src/transport/deadlines.js"
import { UndiciExchange } from "../src/transport/exchange.js"

const endOfTurn = (): Promise<void> => new Promise(setImmediate)

const answer = (handOver: () => void) => ({ next: undefined, handOver })

it("hands over in order, at the end of the turn, and those that come meanwhile in the next", async () => {
  const answers = new Answers()
  const handed: Array<string> = []
  answers.add(answer(() => {
    handed.push("a")
    answers.add(answer(() => handed.push("c")))
  }))
  answers.add(answer(() => handed.push("b")))
  assert.deepStrictEqual(handed, [])
  await endOfTurn()
  assert.deepStrictEqual(handed.slice(0, 2), ["a", "b"])
  await endOfTurn()
  assert.deepStrictEqual(handed, ["a", "b", "c"])
})

it("one that throws does not keep the others from theirs", async () => {
  const answers = new Answers()
  const handed: Array<string> = []
  const caught: Array<unknown> = []
  const listeners = process.listeners("uncaughtException")
  process.removeAllListeners("uncaughtException")
  process.once("uncaughtException", (error) => caught.push(error.message))
  try {
    answers.add(answer(() => handed.push("a")))
    answers.add(answer(() => {
      throw new Error("bug")
    }))
    answers.add(answer(() => handed.push("b")))
    answers.add(answer(() => handed.push("c")))
    await endOfTurn()
    await endOfTurn()
  } finally {
    for (const listener of listeners) process.on("uncaughtException", listener)
  }
  assert.deepStrictEqual(caught, ["bug"])
  assert.deepStrictEqual(handed, ["a", "b", "c"])
})

it("an exchange that is aborted after its answer has come gives it to nobody", async () => {
  const heard: Array<unknown> = []
  const request = {
    method: "GET",
    origin: "http://127.0.0.1:1",
    path: "/",
    headers: {},
    body: undefined,
    responseTimeout: 1_000,
    timeout: 1_000
  } as const
  const begin = (): UndiciExchange => {
    const listener = { resume: (answer: unknown) => heard.push(answer) }
    const exchange = new UndiciExchange(request, 1_000, new Deadlines(), answers, listener)
    exchange.onConnect(() => {})
    exchange.onHeaders(200, [])
    exchange.onComplete()
    return exchange
  }
  const answers = new Answers()
  begin().abort()
  begin()
  await endOfTurn()
  assert.lengthOf(heard, 1)
})
