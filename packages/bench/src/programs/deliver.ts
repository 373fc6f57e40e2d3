/**
 * Delivers webhooks as fast as a receiver takes them, each with an id of its own. Every one has to be answered 204, so that
 * no receiver gets away with less than the others.
 */
import { createHmac } from "node:crypto"
import type { Socket } from "node:net"
import { connect } from "node:net"
import { payload, topic } from "../payload.js"
import type { Deliveries } from "../protocol.js"
import { costOf, serve } from "../protocol.js"
import { secret } from "../receiver.js"

const body = JSON.stringify(payload)
const bytes = Buffer.byteLength(body)

let count = 0

const nextId = (): string => `01JZ8Q4T6W${String(++count).padStart(16, "0")}`

const hookrailHeaders = (host: string): string => {
  const id = nextId()
  const seconds = Math.floor(Date.now() / 1000)
  const mac = createHmac("sha256", secret).update(`${seconds}.${id}.${body}`).digest("hex")
  return `POST /webhooks HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: hookrail/0.1\r\nContent-Length: ${bytes}\r\n` +
    `Content-Type: application/json\r\nAccept-Encoding: gzip\r\nHookrail-Delivery-Id: ${id}\r\n` +
    `Hookrail-Event-Id: 01JZ8Q4T6WABCDEFGHJKMNPQRS\r\nHookrail-Signature: t=${seconds},v1=${mac}\r\n` +
    `Hookrail-Topic: ${topic}\r\n`
}

/** As many and as long as Hookrail's. */
const svixHeaders = (host: string): string => {
  const id = nextId()
  const seconds = Math.floor(Date.now() / 1000)
  const mac = createHmac("sha256", secret).update(`${id}.${seconds}.${body}`).digest("base64")
  return `POST /webhooks HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: Svix-Webhooks/1\r\nContent-Length: ${bytes}\r\n` +
    `Content-Type: application/json\r\nAccept-Encoding: gzip\r\nSvix-Id: ${id}\r\nSvix-Timestamp: ${seconds}\r\n` +
    `Svix-Signature: v1,${mac}\r\n`
}

/** One connection, on which one delivery follows the other. */
const deliver = (port: number, next: () => string | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true })
    let answer = ""
    const send = (): void => {
      const headers = next()
      if (headers === undefined) {
        socket.destroy()
        resolve()
      } else socket.write(`${headers}\r\n${body}`)
    }
    socket.on("connect", send)
    socket.on("error", reject)
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1")
      if (!answer.endsWith("\r\n\r\n")) return
      if (!answer.startsWith("HTTP/1.1 204 ")) return void socket.destroy(new Error(`unexpected answer: ${answer}`))
      answer = ""
      send()
    })
  })

void serve("ready", ({ concurrency, requests, scheme, url }: Deliveries) =>
  costOf(() => {
    const { host, port } = new URL(url)
    const headers = scheme === "svix" ? svixHeaders : hookrailHeaders
    let left = requests
    const next = () => left-- > 0 ? headers(host) : undefined
    return Promise.all(Array.from({ length: concurrency }, () => deliver(Number(port), next)))
  }))
