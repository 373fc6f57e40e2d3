/** A scheduled task that can be cancelled. */
export interface Timer {
  /** Cancels the task; does nothing if it already ran. */
  readonly cancel: () => void
}

/** The emulator's source of time, in milliseconds since 1970. */
export interface Clock {
  /** The time now. */
  readonly now: () => number
  /** Runs a task at a time, or soon if that has passed. Tasks of the same time run in order of scheduling. */
  readonly at: (time: number, task: () => void) => Timer
  /** Cancels everything. */
  readonly stop: () => void
}

interface Entry {
  readonly time: number
  readonly order: number
  task: (() => void) | undefined
}

const before = (a: Entry, b: Entry): boolean => a.time < b.time || (a.time === b.time && a.order < b.order)

/** A binary heap, so that one native timer serves ten thousand waiting retries. */
class Agenda {
  private readonly entries: Array<Entry> = []
  private order = 0

  add(time: number, task: () => void): Entry {
    const entry: Entry = { time, order: this.order++, task }
    const entries = this.entries
    let index = entries.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = entries[parent]!
      if (!before(entry, above)) break
      entries[index] = above
      index = parent
    }
    entries[index] = entry
    return entry
  }

  /** The earliest entry that is not cancelled. */
  peek(): Entry | undefined {
    while (this.entries.length > 0 && this.entries[0]!.task === undefined) this.pop()
    return this.entries[0]
  }

  pop(): void {
    const entries = this.entries
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return
    let index = 0
    for (;;) {
      let child = index * 2 + 1
      if (child >= entries.length) break
      if (child + 1 < entries.length && before(entries[child + 1]!, entries[child]!)) child++
      if (!before(entries[child]!, last)) break
      entries[index] = entries[child]!
      index = child
    }
    entries[index] = last
  }

  clear(): void {
    for (const entry of this.entries) entry.task = undefined
    this.entries.length = 0
  }
}

/** The longest delay a native timer takes. */
const longestTimeout = 2 ** 31 - 1

/** The system's clock. */
export const realClock = (): Clock => {
  const agenda = new Agenda()
  let native: { readonly handle: NodeJS.Timeout; readonly time: number } | undefined
  const arm = (): void => {
    const next = agenda.peek()
    if (native !== undefined && native.time === next?.time) return
    if (native !== undefined) clearTimeout(native.handle)
    native = undefined
    if (next === undefined) return
    const delay = Math.min(Math.max(0, next.time - Date.now()), longestTimeout)
    native = { handle: setTimeout(run, delay), time: next.time }
  }
  const run = (): void => {
    native = undefined
    const now = Date.now()
    for (let next = agenda.peek(); next !== undefined && next.time <= now; next = agenda.peek()) {
      const task = next.task!
      next.task = undefined
      task()
    }
    arm()
  }
  return {
    now: () => Date.now(),
    at: (time, task) => {
      const entry = agenda.add(time, task)
      arm()
      return {
        cancel: () => {
          entry.task = undefined
          arm()
        }
      }
    },
    stop: () => {
      agenda.clear()
      arm()
    }
  }
}

/** A clock that moves only when advanced. */
export interface ManualClock extends Clock {
  /** Advances by milliseconds. After each task it awaits `settle`, so that the work it started can finish. */
  readonly advance: (ms: number, settle: () => Promise<void>) => Promise<void>
}

/** Makes a clock that starts at `start`. */
export const manualClock = (start: number): ManualClock => {
  const agenda = new Agenda()
  let now = start
  return {
    now: () => now,
    at: (time, task) => {
      const entry = agenda.add(time, task)
      return {
        cancel: () => {
          entry.task = undefined
        }
      }
    },
    stop: () => agenda.clear(),
    advance: async (ms, settle) => {
      const target = now + ms
      await settle()
      for (let next = agenda.peek(); next !== undefined && next.time <= target; next = agenda.peek()) {
        now = Math.max(now, next.time)
        // Tasks due at the same moment start together, as in one sweep.
        for (let due: Entry | undefined = next; due !== undefined && due.time <= now; due = agenda.peek()) {
          const task = due.task!
          due.task = undefined
          task()
        }
        await settle()
      }
      now = Math.max(now, target)
    }
  }
}
