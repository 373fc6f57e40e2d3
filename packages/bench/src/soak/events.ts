/** The events: each is determined by the seed and its number. */
import { drawsAt } from "./random.js"

export interface PlannedSend {
  readonly seq: number
  readonly topic: string
  readonly payload: { readonly seq: number; readonly note: string }
  readonly key: string | undefined
  readonly retry: boolean
  /** After how many milliseconds the caller interrupts the send; 0 means right after it started. */
  readonly interruptAfter: number | undefined
}

/** Separates these draws from those of the connections. */
const plans = 0x5ead

export const plan = (seed: number, seq: number, timeoutMs: number): PlannedSend => {
  const draw = drawsAt(seed, plans, seq)
  const patience = draw() < 0.08 ? Math.ceil(draw() * timeoutMs * 1.5) : undefined
  // Some are certainly interrupted: most of the others are answered in time.
  const interruptAfter = seq % 15 === 7 ? 0 : patience
  // Most are small; a few fill more than one packet.
  const length = Math.floor(draw() < 0.05 ? draw() * 20_000 : draw() * 400)
  return {
    seq,
    topic: `soak.${seq % 10}`,
    payload: { seq, note: "zoë ".repeat(length / 4) },
    key: seq % 4 === 0 ? `soak-${seed}-${seq}` : undefined,
    retry: draw() >= 0.2,
    interruptAfter
  }
}
