/** Whether a program runs in a browser: everybody who opens the page could then read its API key. */

/** What the check looks at. */
export interface Surroundings {
  readonly document?: unknown
  readonly WorkerGlobalScope?: unknown
  readonly navigator?: { readonly userAgent?: unknown } | undefined
  readonly process?: {
    readonly type?: unknown
    readonly versions?: { readonly node?: unknown } | undefined
  } | undefined
}

/**
 * A page or a worker of a browser, and the window of an Electron program. Not: Node with jsdom or happy-dom, Deno, Bun, Workers
 * on servers, React Native.
 */
export const isBrowser = ({ WorkerGlobalScope, document, navigator, process }: Surroundings): boolean => {
  // Tests have a document too, but they run on Node. So does the window of an Electron program, if it is allowed to.
  if (typeof process?.versions?.node === "string") return process.type === "renderer"
  if (document === undefined && WorkerGlobalScope === undefined) return false
  const agent = navigator?.userAgent
  // Servers have workers as well: their agents are "Deno/2.9", "Bun/1.4", "Cloudflare-Workers".
  return typeof agent === "string" && agent.startsWith("Mozilla/")
}
