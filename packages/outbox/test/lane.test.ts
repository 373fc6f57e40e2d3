import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { Acks } from "../src/relay/acks.js"
import { Counts } from "../src/relay/counts.js"
import type { Database } from "../src/relay/database.js"
import { lanesOf, Lease } from "../src/relay/lane.js"
import { type Store, Taken } from "../src/relay/store.js"
import { Ending } from "../src/relay/waiting.js"

const taken = (seq: number, orderingKey?: string): Taken =>
  new Taken(seq, orderingKey, 1, 0, undefined, {
    topic: "t",
    body: new Uint8Array(),
    idempotencyKey: String(seq),
    orderingKey
  })

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe("what a claim took", () => {
  it("is a lane for each ordering key, in order, and one for each event without a key", () => {
    const lease = new Lease("me", 0, 1_000, 100)
    const lanes = lanesOf(lease, [taken(1, "a"), taken(2), taken(3, "b"), taken(4, "a"), taken(5)])
    assert.deepStrictEqual(lanes.map((lane) => lane.rest()), [[1, 4], [2], [3], [5]])
    assert.isTrue(lanes.every((lane) => lane.lease === lease))
  })

  it("is aborted when the lease ends", () => {
    const lease = new Lease("me", 0, 1_000, 100)
    lease.begin(2, 400)
    lease.laneEnded()
    vi.advanceTimersByTime(599)
    assert.isFalse(lease.sending.signal.aborted)
    vi.advanceTimersByTime(1)
    assert.isTrue(lease.sending.signal.aborted)
  })

  it("leaves no timer once all its lanes have ended", () => {
    const lease = new Lease("me", 0, 1_000, 100)
    lease.begin(2, 0)
    lease.laneEnded()
    assert.strictEqual(vi.getTimerCount(), 1)
    lease.laneEnded()
    assert.strictEqual(vi.getTimerCount(), 0)
  })
})

describe("what the server has accepted is recorded", () => {
  /** Records whose statements end when they are told to. */
  const recorder = (isBusy = false) => {
    const statements: Array<ReadonlyArray<number>> = []
    const recorded: Array<boolean> = []
    const ends: Array<() => void> = []
    let isSlow = false
    const store = {
      ack: (seqs: ReadonlyArray<number>) => {
        statements.push(seqs)
        return isSlow ? new Promise<void>((resolve) => ends.push(resolve)) : Promise.resolve()
      }
    }
    const database = { run: (_: Ending, statement: () => Promise<unknown>) => statement() }
    const acks = new Acks(
      store as unknown as Store,
      database as unknown as Database,
      new Counts(),
      new Ending(),
      () => isBusy,
      (hasRunEnd) => recorded.push(hasRunEnd)
    )
    const add = (from: number, to: number): void => {
      for (let seq = from; seq <= to; seq++) acks.add(seq, false)
    }
    return { acks, add, ends, recorded, sizes: () => statements.map(({ length }) => length), slow: () => isSlow = true }
  }

  it("soon, if the relay has nothing else to send", async () => {
    const { add, sizes } = recorder()
    add(1, 3)
    await vi.advanceTimersByTimeAsync(4)
    assert.deepStrictEqual(sizes(), [])
    await vi.advanceTimersByTimeAsync(1)
    assert.deepStrictEqual(sizes(), [3])
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("a while later if it has, together with what follows", async () => {
    const { add, sizes } = recorder(true)
    for (let n = 0; n < 5; n++) {
      assert.deepStrictEqual(sizes(), [])
      add(10 * n, 10 * n + 9)
      await vi.advanceTimersByTimeAsync(5)
    }
    assert.deepStrictEqual(sizes(), [50])
  })

  it("at once, if there is enough", () => {
    const { add, sizes } = recorder(true)
    add(1, 255)
    assert.deepStrictEqual(sizes(), [])
    add(256, 256)
    assert.deepStrictEqual(sizes(), [256])
  })

  it("by one statement at a time; what is accepted meanwhile waits for others again", async () => {
    const { add, ends, sizes, slow } = recorder()
    slow()
    add(1, 256)
    add(257, 260)
    await vi.advanceTimersByTimeAsync(1_000)
    assert.deepStrictEqual(sizes(), [256])
    ends.shift()!()
    await vi.advanceTimersByTimeAsync(4)
    assert.deepStrictEqual(sizes(), [256])
    await vi.advanceTimersByTimeAsync(1)
    assert.deepStrictEqual(sizes(), [256, 4])
  })

  it("whoever waits does so for what was accepted by then, not for what follows", async () => {
    const { acks, add, ends, sizes, slow } = recorder()
    slow()
    add(1, 3)
    const flushed = acks.flush()
    add(4, 4)
    ends.shift()!()
    await flushed
    assert.deepStrictEqual(sizes(), [3])
    assert.strictEqual(acks.size, 1)
  })

  it("says once that a key may go on", async () => {
    const { acks, add, recorded } = recorder()
    add(1, 1)
    acks.add(2, true)
    assert.isTrue(acks.hasRunEnd)
    await acks.flush()
    assert.isFalse(acks.hasRunEnd)
    add(3, 3)
    await acks.flush()
    assert.deepStrictEqual(recorded, [true, false])
  })
})
