/**
 * Runs a program on a clock that jumps to the next timer as soon as all fibers wait. TestClock does the same, but asks the
 * real event loop at each step whether they do.
 */
import { Clock, Duration, Effect, Exit, type Fiber, Hash, Logger, Random, type Scheduler } from "effect"
import { seeded } from "./simulation.js"

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** Runs its tasks when told, so that "nothing left to run" is known at once. */
class Tasks implements Scheduler.Scheduler {
  readonly executionMode = "async"
  private tasks: Array<() => void> = []
  private readonly random: () => number

  constructor(private readonly yielding: number, seed: string) {
    this.random = seeded(Hash.string(seed))
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.yielding > 0 ? this.random() < this.yielding : fiber.currentOpCount >= 2_048
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => void this.tasks.push(task), flush: () => this.runAll() }
  }

  runAll(): void {
    while (this.tasks.length > 0) {
      const tasks = this.tasks
      this.tasks = []
      for (const task of tasks) task()
    }
  }
}

class VirtualClock implements Clock.Clock {
  /** By time, the next one last; of equal times the earlier one later. */
  private readonly timers: Array<Timer> = []
  private now = 0

  currentTimeMillisUnsafe = () => this.now
  currentTimeMillis = Effect.sync(() => this.now)
  currentTimeNanosUnsafe = () => BigInt(Math.round(this.now * 1e6))
  currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  monotonicTimeNanosUnsafe = () => BigInt(Math.round(this.now * 1e6))
  monotonicTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())

  sleep = (duration: Duration.Duration) =>
    Effect.callback<void>((resume) => {
      // Whole milliseconds, as real timers have.
      const timer: Timer = {
        at: this.now + Math.max(1, Math.ceil(Duration.toMillis(duration))),
        fire: () => resume(Effect.void)
      }
      this.insert(timer)
      return Effect.sync(() => {
        const index = this.timers.indexOf(timer)
        if (index >= 0) this.timers.splice(index, 1)
      })
    })

  private insert(timer: Timer): void {
    let [low, high] = [0, this.timers.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.timers[middle]!.at > timer.at) low = middle + 1
      else high = middle
    }
    this.timers.splice(low, 0, timer)
  }

  fireNext(): boolean {
    const timer = this.timers.pop()
    if (timer === undefined) return false
    this.now = timer.at
    timer.fire()
    return true
  }
}

/**
 * The value of a program that waits for nothing but the clock. `yielding` is the share of steps after which a fiber lets the
 * others run, so that they run into each other at every place they can. A yield takes some steps itself: far above 0.1
 * nothing gets done.
 */
export const run = <A, E>(program: Effect.Effect<A, E>, seed: string, yielding = 0): A => {
  const tasks = new Tasks(yielding, seed)
  const clock = new VirtualClock()
  const fiber = Effect.runFork(
    program.pipe(
      Effect.provideService(Clock.Clock, clock),
      Random.withSeed(seed),
      Effect.provide(Logger.layer([]))
    ),
    { scheduler: tasks }
  )
  do tasks.runAll()
  while (clock.fireNext())
  const exit = fiber.pollUnsafe()
  if (exit === undefined) throw new Error("the program waits for something that is not the clock")
  if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
  return exit.value
}
