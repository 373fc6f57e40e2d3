/** A connection that sends the head of a webhook and never the whole body. */
import type { SignedWebhook } from "@hookrail/emulator"
import * as Net from "node:net"

/**
 * `half`: half of the body, and then nothing. `drip`: a byte now and then, in chunks. `unsigned`: half of a body without a
 * signature, which nobody has to wait for.
 */
export type SlowKind = "half" | "drip" | "unsigned"

export const slowKinds: ReadonlyArray<SlowKind> = ["half", "drip", "unsigned"]

const headOf = ({ body, headers }: SignedWebhook, kind: SlowKind): string => {
  const { "content-length": _, ...rest } = headers
  const signed = Object.entries(rest).filter(([name]) => kind !== "unsigned" || !name.includes("signature"))
  const length = kind === "drip"
    ? ["transfer-encoding", "chunked"]
    : ["content-length", String(Buffer.byteLength(body))]
  const lines = [["host", "127.0.0.1"], ...signed, length].map(([name, value]) => `${name}: ${value}`)
  return `POST /webhooks HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`
}

/**
 * Sends slowly to a receiver whose limit is `timeoutMs`. Returns the status of its answer; `ended` if it ended the connection
 * without one; `held` if neither came in `patienceMs`.
 */
export const sendSlowly = (
  port: number,
  webhook: SignedWebhook,
  kind: SlowKind,
  timeoutMs: number,
  patienceMs: number
): Promise<string> =>
  new Promise((resolve) => {
    const bytes = Buffer.from(webhook.body)
    const socket = Net.connect(port, "127.0.0.1")
    let sent = 0
    // Far too slowly to finish in time, and never the last byte.
    const dripping = setInterval(() => {
      if (kind === "drip" && sent < bytes.length - 1) {
        socket.write(Buffer.concat([Buffer.from("1\r\n"), bytes.subarray(sent, ++sent), Buffer.from("\r\n")]))
      }
    }, timeoutMs / 50)
    const finish = (answer: string): void => {
      clearInterval(dripping)
      clearTimeout(patience)
      socket.destroy()
      resolve(answer)
    }
    const patience = setTimeout(() => finish("held"), patienceMs)
    socket.on("data", (data) => finish(data.toString("latin1").split(" ")[1] ?? "ended"))
    socket.on("end", () => finish("ended"))
    socket.on("error", () => finish("ended"))
    socket.write(headOf(webhook, kind))
    if (kind !== "drip") socket.write(bytes.subarray(0, bytes.length >> 1))
  })
