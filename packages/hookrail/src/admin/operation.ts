/** An operation of the admin API as a call: how to read its answers, and what they mean after an attempt without one. */
import * as Effect from "effect/Effect"
import type { Address } from "../call/advice.js"
import { type AttemptError, type CallContext, withAddress } from "../call/errors.js"
import type { Operation } from "../call/operation.js"
import {
  AuthenticationError,
  BadRequestError,
  ConflictError,
  ForbiddenError,
  InsufficientRoleError,
  NotFoundError,
  type Outcome,
  PayloadTooLargeError,
  type Problem,
  ReplayExpiredError,
  type Role,
  UnexpectedResponseError,
  UnprocessableError,
  UrlRejectedError
} from "../HookrailError.js"
import type { TransportResponse } from "../transport/model.js"
import { adviceFor } from "./wire/advice.js"
import type { Spec } from "./wire/routes.js"

/** What an operation has besides its request. */
export interface Parts<A> {
  /** See `Operation`. */
  readonly look?: Operation<A>["look"]
  /** The result, if an earlier attempt without an answer explains an error answer. */
  readonly explained?: (status: number, otherwise: AttemptError) => Effect.Effect<A, AttemptError> | undefined
  /** What a page means that is too long. */
  readonly readCut?: (() => Effect.Effect<A>) | undefined
  /** The operation that this one is a part of. It has not been sent then. */
  readonly within?: Pick<Spec<unknown>, "operation" | "target"> | undefined
}

/** What all operations of a client share. */
export interface Shared {
  readonly address: Address
  readonly token: string
  /** The role of the token; `undefined` if the server does not tell. */
  readonly role: Effect.Effect<string | undefined>
}

const constructors: Readonly<Record<number, new(fields: AnswerFields) => AttemptError>> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  410: ReplayExpiredError,
  413: PayloadTooLargeError
}

interface AnswerFields extends CallContext {
  readonly status: number
  readonly problem: Problem
  readonly hint: string | undefined
}

export class AdminCall<A> implements Operation<A> {
  constructor(
    private readonly spec: Spec<A>,
    private readonly shared: Shared,
    private readonly parts: Parts<A>
  ) {}

  context(outcome: Outcome): CallContext {
    const { parts: { within }, spec: { method, operation, target } } = this
    return withAddress(
      within !== undefined
        ? { operation: within.operation, target: within.target, outcome: "not-sent" }
        : method === "GET"
        ? { operation, target }
        : { operation, target, outcome },
      this.shared.address
    )
  }

  get isSecret(): boolean {
    return this.spec.isSecret
  }

  get look(): Operation<A>["look"] {
    return this.parts.look
  }

  read(response: TransportResponse): Effect.Effect<A> | undefined {
    const result = this.spec.read(response.body)
    return result === undefined ? undefined : Effect.succeed(result)
  }

  readCut(): Effect.Effect<A> | undefined {
    return this.parts.readCut?.()
  }

  /** The reading of a single thing answers 404 to any failure (protocol section 5.1). */
  isMasked(status: number): boolean {
    return status === 404 && this.spec.method === "GET"
  }

  answered(
    status: number,
    problem: Problem,
    before: Outcome,
    context: CallContext
  ): Effect.Effect<A, AttemptError> | undefined {
    const { operation } = this.spec
    const hint = adviceFor(operation, status, problem, this.shared.token)
    const fields: AnswerFields = { ...context, status, problem, hint }
    if (status === 403 && problem.title === "insufficient role") {
      return Effect.flatMap(
        // It is asked for by `whoami`, which may be refused as well.
        operation === "whoami" ? Effect.succeed(undefined) : this.shared.role,
        (actual) => Effect.fail(new InsufficientRoleError({ ...fields, required: this.required(problem), actual }))
      )
    }
    const error = status === 422
      ? problem.title === "url rejected" ? new UrlRejectedError(fields) : new UnprocessableError(fields)
      : status in constructors
      ? new constructors[status]!(fields)
      : undefined
    if (status === 415) {
      const reason = "Something between here and the server has changed the content type"
      return Effect.fail(new UnexpectedResponseError({ ...fields, reason, body: "", retryable: false }))
    }
    if (error === undefined) return undefined
    const explained = before === "unknown" ? this.parts.explained?.(status, error) : undefined
    return explained ?? Effect.fail(error)
  }

  /** The role that the server names, or else the one of the protocol. */
  private required({ detail = "" }: Problem): Role {
    const [, role] = /^requires role (viewer|operator|admin)$/.exec(detail) ?? []
    return (role ?? this.spec.needs) as Role
  }
}
