/** The packages that exist for both lines of Effect: the folder of the one for Effect 3, and of the one for Effect 4. */
export const lines = { hookrail: "hookrail-4", node: "node-4" }
