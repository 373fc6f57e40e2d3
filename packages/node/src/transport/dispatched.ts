/** Exchanges over a dispatcher of the user: one of undici, of any version, or one of their own. It is not trusted. */
import * as Exit from "effect/Exit"
import type {
  Abortable,
  DispatchController,
  Dispatcher,
  DispatchHandler,
  Listener,
  TransportRequest,
  TransportResponse
} from "hookrail/Transport"
import { connectionError, invalidRequest, TransportError } from "hookrail/Transport"
import { isUtf8 } from "node:buffer"
import { Answers } from "./answers.js"
import { Deadlines } from "./deadlines.js"
import { type Abort, dropped, type NetworkError, UndiciExchange } from "./exchange.js"

/** The codes with which undici only fails a request that it has not begun. */
const beforeSending = /^UND_(ERR_(INVALID_ARG|NOT_SUPPORTED|PRX_TLS|CONNECT_TIMEOUT)|MOCK_ERR_MOCK_NOT_MATCHED)$/

/** How `ProxyAgent` says that a proxy has refused a tunnel. The code is that of any aborted request. */
const tunnelRefused = /^Proxy response \(\d+\) !== 200/

const bytesOf = (chunk: Uint8Array | string): Buffer =>
  typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)

const latin1 = (text: Uint8Array | string): Buffer =>
  typeof text === "string" ? Buffer.from(text, "latin1") : bytesOf(text)

/** With these it also fails what is in flight, so they are only certain if they come at once. */
const closedCodes = /^UND_ERR_(CLOSED|DESTROYED)$/

/** Whether an error, or one behind it, quotes a header of the request. */
const quotes = (error: unknown, values: ReadonlyArray<string>): boolean => {
  for (let depth = 0; error instanceof Error && depth < 8; depth++) {
    const text = `${error.message}\n${error.stack}`
    if (values.some((value) => text.includes(value))) return true
    error = error.cause
  }
  return false
}

/** What must not show in an error. Mocks quote all headers of a request that matches none of them. */
const secretsOf = (headers: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(headers)
    .filter(([name]) => !/^(content-type|accept|user-agent)/.test(name))
    .flatMap(([, value]) => [value, JSON.stringify(value).slice(1, -1), value.replace(/^Bearer /, "")])
    .filter((value) => value !== "")

class DispatchedExchange extends UndiciExchange implements DispatchHandler {
  private readonly secrets: ReadonlyArray<string>
  /** The call of `dispatch` has not returned. */
  private isDispatching = true

  constructor(
    request: TransportRequest,
    deadlines: Deadlines,
    answers: Answers,
    listener: Listener<TransportResponse, TransportError>
  ) {
    super(request, 0, deadlines, answers, listener)
    this.secrets = secretsOf(request.headers)
  }

  dispatchOver(dispatcher: Dispatcher, { body, headers, method, origin, path }: TransportRequest): void {
    let result: unknown
    try {
      result = dispatcher.dispatch({
        origin,
        path,
        method,
        headers: { ...headers },
        // As text, since that is what the matchers and replies of mocks expect.
        body: body === undefined ? null : isUtf8(body) ? bytesOf(body).toString("utf8") : body,
        headersTimeout: 0,
        bodyTimeout: 0
      }, this)
    } catch (error) {
      // If it calls `onConnect` in spite of it, the request is dropped there.
      this.broke(error, this.state === "waiting" ? "connect" : this.phase)
    }
    this.isDispatching = false
    // An `async` method, which undici's types do not allow, but JavaScript does.
    if (typeof (result as Partial<PromiseLike<unknown>> | undefined)?.then === "function") {
      Promise.resolve(result).catch((error: unknown) => this.onError(error as NetworkError))
    }
  }

  /** Ends the exchange because the transport is closed. */
  close(): void {
    const { destroy } = this
    this.broke(new Error("the transport is closed"), this.phase)
    destroy?.(dropped)
  }

  onRequestStart(controller: DispatchController): void {
    this.onConnect((error) => controller.abort(error))
  }

  onResponseStart(
    _: DispatchController,
    status: number,
    headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  ): void {
    this.onHeaders(status, Object.entries(headers).flatMap(([name, value]) => [name, String([value].flat()[0])]))
  }

  onResponseData(_: DispatchController, chunk: Uint8Array): void {
    this.onData(chunk)
  }

  onResponseEnd(): void {
    this.onComplete()
  }

  onResponseError(_: DispatchController, error: Error): void {
    this.onError(error)
  }

  override onConnect(abort: Abort): void {
    // Not all of them clean up after a method that throws, nor do all aborts return.
    const destroy: Abort = (error) => {
      try {
        abort(error)
      } catch {
        // The exchange has ended all the same.
      }
    }
    if (this.state === "waiting") super.onConnect(destroy)
    else if (this.state === "done") destroy(dropped)
    // Another attempt, by an interceptor that retries.
    else this.destroy = destroy
  }

  override onHeaders(status: number, headers: ReadonlyArray<Uint8Array | string> | null): boolean {
    if (this.state === "waiting") this.state = "sent"
    return super.onHeaders(status, (headers ?? []).map(latin1))
  }

  override onData(chunk: Uint8Array): boolean {
    return super.onData(bytesOf(chunk))
  }

  override onComplete(): void {
    if (this.state === "waiting" || this.state === "sent") {
      this.broke(new Error("the dispatcher ended without an answer"), "response")
    }
    super.onComplete()
  }

  override onError(error: NetworkError): void {
    if (this.state === "waiting") {
      const { code, message } = Object(error) as Partial<NetworkError>
      if (this.isDispatching && closedCodes.test(String(code))) {
        return this.broke(
          Object.assign(new Error("the dispatcher is closed: its owner has closed it"), { code }),
          "connect"
        )
      }
      const nothingSent = beforeSending.test(String(code)) || tunnelRefused.test(String(message))
      return this.broke(error, nothingSent ? "connect" : undefined)
    }
    super.onError(error)
  }

  /** Until it has begun, nobody knows: some dispatchers forget to say so. */
  protected override get phase(): TransportError["phase"] {
    return this.state === "waiting" ? "response" : super.phase
  }

  protected override fail(error: TransportError): void {
    super.fail(this.withoutSecrets(error))
  }

  private broke(error: unknown, phase: TransportError["phase"] | undefined): void {
    if (this.state === "done") return
    const cause = error instanceof Error
      ? error
      : new Error(`the dispatcher failed with ${String(error)}`)
    this.fail(connectionError(cause, phase === undefined ? {} : { phase }))
  }

  private withoutSecrets(error: TransportError): TransportError {
    const { secrets } = this
    if (!quotes(error.cause, secrets) && !quotes(error, secrets)) return error
    const description = secrets.reduce((text, value) => text.split(value).join("***"), error.description)
    const { code, phase, reason } = error
    return new TransportError({ reason, phase, description, ...(code === undefined ? {} : { code }) })
  }
}

export class Dispatched {
  private readonly deadlines = new Deadlines()
  private readonly answers = new Answers()
  private closed = false

  constructor(private readonly dispatcher: Dispatcher) {}

  start(request: TransportRequest, listener: Listener<TransportResponse, TransportError>): Abortable {
    // Not all dispatchers check the headers, and some quote a wrong one.
    const invalid = invalidRequest(request.headers) ?? this.whenClosed()
    if (invalid !== undefined) {
      listener.resume(Exit.fail(invalid))
      return { abort: () => {} }
    }
    const exchange = new DispatchedExchange(request, this.deadlines, this.answers, listener)
    exchange.dispatchOver(this.dispatcher, request)
    return exchange
  }

  /** Ends what is in flight. The dispatcher belongs to the user, who closes it. */
  close(): void {
    this.closed = true
    for (const exchange of this.deadlines.all()) (exchange as DispatchedExchange).close()
  }

  private whenClosed(): TransportError | undefined {
    return this.closed ? connectionError(new Error("the transport is closed"), { phase: "connect" }) : undefined
  }
}
