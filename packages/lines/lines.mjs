/** The packages that exist for both lines of Effect: the folder of the one for Effect 3, and of the one for Effect 4. */
export const lines = { hookrail: "hookrail-4", node: "node-4" }

/** Tests of modules without any Effect, which are the same text in both lines. They run once, with the first line. */
export const onlyOnce = {
  hookrail: [
    "arguments",
    "body",
    "claims",
    "decode",
    "mistakes",
    "pace",
    "paceSteps",
    "payload",
    "queue",
    "refusals",
    "retry",
    "signature",
    "wire",
    // Not translated yet: its tracer, and the snapshot of metrics.
    "tracing"
  ].map((name) => `test/${name}.test.ts`)
}

/** Tests that make no sense in the second line, by their beginning. */
export const skipped = {
  hookrail: {
    // The default provider of Effect 4 reads the environment once.
    "test/rotation.test.ts": ["is a way of giving the secrets, and is read again"]
  }
}
