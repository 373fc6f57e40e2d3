/** The contenders of the section "keys". */
import { Effect } from "effect"
import { IdempotencyKeys } from "hookrail"
import { interleave, warmUp } from "../interleave.js"
import { payload, topic } from "../payload.js"
import { say } from "../protocol.js"

const [rounds, batchMicros] = process.argv.slice(2).map(Number) as [number, number]

const request = { topic, payload: Buffer.from(JSON.stringify(payload)), orderingKey: undefined }
const keysAtOnce = 20

/** As in the client: within a running program, so that starting one does not count. */
const keysOf = (keys: IdempotencyKeys.Service) => {
  let left = 0
  const program = Effect.whileLoop({ while: () => left-- > 0, body: () => keys.keyFor(request), step: () => {} })
  return (): Promise<void> => {
    left = keysAtOnce
    return Effect.runPromise(program)
  }
}

const uuids = (): void => {
  for (let i = 0; i < keysAtOnce; i++) crypto.randomUUID()
}

const operations = {
  "crypto.randomUUID": uuids,
  "IdempotencyKeys.random": keysOf(IdempotencyKeys.random),
  "IdempotencyKeys.content (1 KB)": keysOf(IdempotencyKeys.content)
}

await warmUp(operations)
const rows = await interleave(operations, { rounds, batchMicros })

say(Object.fromEntries(
  Object.entries(rows).map(([name, micros]) => [name, micros.map((value) => value / keysAtOnce)])
))
process.exit()
