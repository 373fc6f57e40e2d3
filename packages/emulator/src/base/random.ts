import { randomBytes } from "node:crypto"

/** The emulator's source of randomness. */
export interface Random {
  /** A number in [0, 1). */
  readonly next: () => number
  /** Random bytes. */
  readonly bytes: (count: number) => Uint8Array
}

/** The system's randomness, different in every run. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => randomBytes(count)
}

/** Repeatable randomness: the same seed gives the same values (mulberry32). */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0
  const word = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    next: () => word() / 2 ** 32,
    bytes: (count) => Uint8Array.from({ length: count }, () => word() >>> 24)
  }
}
