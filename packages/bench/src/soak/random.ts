/** Reproducible random numbers. */

const golden = 0x9e3779b9

const mix = (word: number): number => {
  let mixed = word >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

/**
 * Draws numbers in [0, 1) by splitmix32. They depend only on the seed and the place, such as a connection and a request, and not
 * on draws elsewhere.
 */
export const drawsAt = (seed: number, ...place: ReadonlyArray<number>): () => number => {
  let state = place.reduce((hash, part) => mix((hash ^ part) + golden), mix(seed))
  return () => {
    state = (state + golden) >>> 0
    return mix(state) / 2 ** 32
  }
}

/** Picks a value at random, in proportion to the weights. */
export const pick = <A>(draw: () => number, weighted: ReadonlyArray<readonly [weight: number, value: A]>): A => {
  let rest = draw() * weighted.reduce((sum, [weight]) => sum + weight, 0)
  for (const [weight, value] of weighted) {
    rest -= weight
    if (rest < 0) return value
  }
  return weighted[weighted.length - 1]![1]
}
