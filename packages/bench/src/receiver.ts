/** What all contenders of the section "receive" have in common. */
import type { RequestListener } from "node:http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Received } from "./protocol.js"
import { serve } from "./protocol.js"

export const secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef"

/** The payload has to arrive at the handler, whatever the way. */
export const check = (payload: unknown): void => {
  if ((payload as { readonly order_id?: string }).order_id !== "ord_01JZ8Q4T6W") throw new Error("not the payload")
}

/** Serves, and says on demand what that has cost since the last time. */
export const receive = (listener: RequestListener): void => {
  const server = createServer(listener)
  server.listen(0, "127.0.0.1", () => {
    let last = process.cpuUsage()
    void serve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, (): Received => {
      const { system, user } = process.cpuUsage(last)
      last = process.cpuUsage()
      return { cpuMicros: system + user }
    })
  })
}
