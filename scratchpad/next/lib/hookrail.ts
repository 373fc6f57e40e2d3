import { Hookrail } from "@hookrail/promise"

let client: Hookrail | undefined

/** One client for all requests, made with the first one: `next build` runs without the API key. */
export const hookrail = (): Hookrail => client ??= new Hookrail()
