/** Clients of the facade, one of which is closed every now and then, while its calls are under way, and replaced. */
import type { CloseOptions } from "@hookrail/promise"
import type { Hookrail } from "@hookrail/promise"
import { setImmediate as nextTurn } from "node:timers/promises"

export interface Client {
  readonly hookrail: Hookrail
  /** The calls that have not settled. */
  underWay: number
  /** The calls that were rejected because the client was closed. */
  closed: number
}

export interface ClientsOptions {
  readonly make: () => Hookrail
  readonly size: number
  /** A client is closed with every `closeEvery`th send. */
  readonly closeEvery: number
  /** How long the draining of a client may last that has a limit. */
  readonly drainMs: number
  readonly report: (violation: string) => void
}

export class Clients {
  private readonly clients: Array<Client>
  private readonly closings = new Set<Promise<void>>()
  private readonly ways: ReadonlyArray<CloseOptions>
  private sends = 0
  /** How many have been closed and replaced. */
  replaced = 0

  constructor(private readonly options: ClientsOptions) {
    this.ways = [{}, { drain: true }, { drain: options.drainMs }]
    this.clients = Array.from({ length: options.size }, () => this.newClient())
  }

  /** Makes a call with one of the clients. Now and then that client is closed right after the call has begun. */
  async run<A>(call: (hookrail: Hookrail) => Promise<A>, isClosed: (error: unknown) => boolean): Promise<A> {
    const { closeEvery, size } = this.options
    const send = this.sends++
    const place = send % size
    const client = this.clients[place]!
    client.underWay++
    const calling = call(client.hookrail)
    if (send % closeEvery === closeEvery - 1) this.replace(place)
    try {
      return await calling
    } catch (error) {
      if (isClosed(error)) client.closed++
      throw error
    } finally {
      client.underWay--
    }
  }

  /** Closes all clients. */
  async close(): Promise<void> {
    for (const client of this.clients) this.closing(client, { drain: true })
    await Promise.all(this.closings)
  }

  private newClient(): Client {
    return { hookrail: this.options.make(), underWay: 0, closed: 0 }
  }

  private replace(place: number): void {
    const way = this.ways[this.replaced++ % this.ways.length]!
    const client = this.clients[place]!
    this.clients[place] = this.newClient()
    this.closing(client, way)
  }

  private closing(client: Client, way: CloseOptions): void {
    const closing = this.checked(client, way).finally(() => this.closings.delete(closing))
    this.closings.add(closing)
  }

  private async checked(client: Client, way: CloseOptions): Promise<void> {
    const { report } = this.options
    try {
      await client.hookrail.close(way)
      // By now those who called have been told.
      await nextTurn()
      if (client.underWay > 0) report(`a client is closed, but ${client.underWay} of its calls are under way`)
      if (way.drain === true && client.closed > 0) report(`${client.closed} calls were cut off by a close that drains`)
    } catch (error) {
      report(`a client cannot be closed: ${String(error)}`)
    }
  }
}
