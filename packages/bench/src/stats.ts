/** The median of several rounds, and their range. */
export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const summarize = (values: ReadonlyArray<number>): Summary => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values)
})

/** Per round, so that a disturbance of a whole round affects both. */
export const ratios = (values: ReadonlyArray<number>, reference: ReadonlyArray<number>): Array<number> =>
  values.map((value, round) => value / reference[round]!)
