/** The packages that exist for both lines of Effect: the folder of the one for Effect 3, and of the one for Effect 4. */
export const lines = { hookrail: "hookrail-4", node: "node-4" }

/**
 * Tests of modules without any Effect, which are the same text in both lines. They run once, with the first line; so does the one
 * about copies, since Effect 4 has no build for CommonJS.
 */
export const onlyOnce = {
  hookrail: [
    "arguments",
    "body",
    "claims",
    "copies",
    "pace",
    "paceSteps",
    "payload",
    "queue",
    "refusals",
    "retry",
    "signature",
    "wire"
  ].map((name) => `test/${name}.test.ts`)
}

/** Modules for Effect 4 next to those for Effect 3, in a package for both. There Effect 4 is called `effect-4`. */
export const within = {
  outbox: { "src/effect-3.ts": "src/effect.ts", "src/line-3/Relay.ts": "src/line-4/Relay.ts" }
}
