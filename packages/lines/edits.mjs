/** What a rename cannot say: for each module, the text of the Effect 3 line and what stands there in Effect 4. */
const source = {
  "src/Delivery.ts": [
    [
      `// The key by its own type: as any text, it becomes an index signature in the encoded form, which the other fields
// contradict.
const optionalAs = <S extends Schema.Schema.All, const Key extends string>(schema: S, key: Key) =>
  Schema.optional(schema).pipe(Schema.fromKey(key))

const renamed = <S extends Schema.Schema.All, const Key extends string>(schema: S, key: Key) =>
  Schema.propertySignature(schema).pipe(Schema.fromKey(key))

`,
      ""
    ],
    [
      `  attemptNo: renamed(Schema.Number, "attempt_no"),
  claimVersion: renamed(Schema.Number, "claim_version"),
  status: Schema.String as Schema.Schema<AttemptStatus, string>,
  httpStatus: optionalAs(Schema.Number, "http_status"),
  errorClass: optionalAs(Schema.String, "error_class"),
  latencyMs: renamed(Schema.Number, "latency_ms")
})`,
      `  attemptNo: Schema.Number,
  claimVersion: Schema.Number,
  status: Schema.String as Schema.Codec<AttemptStatus, string>,
  httpStatus: Schema.optional(Schema.Number),
  errorClass: Schema.optional(Schema.String),
  latencyMs: Schema.Number
}).pipe(Schema.encodeKeys({
  attemptNo: "attempt_no",
  claimVersion: "claim_version",
  httpStatus: "http_status",
  errorClass: "error_class",
  latencyMs: "latency_ms"
}))`
    ],
    [
      `  deliveryId: renamed(Schema.String, "delivery_id"),`,
      `  deliveryId: Schema.String,`
    ],
    [
      `  attemptsTruncated: Schema.optionalWith(Schema.Boolean, { default: () => false }).pipe(
    Schema.fromKey("attempts_truncated")
  ),
  attempts: Schema.Array(AttemptSchema)
})`,
      `  attemptsTruncated: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
  attempts: Schema.Array(AttemptSchema)
}).pipe(Schema.encodeKeys({ deliveryId: "delivery_id", attemptsTruncated: "attempts_truncated" }))`
    ]
  ],
  "src/Event.ts": [
    [
      `const emptyIfNull = <A, I>(items: Schema.Schema<A, I>) =>
  Schema.transform(Schema.NullOr(Schema.Array(items)), Schema.Array(Schema.typeSchema(items)), {
    strict: true,
    decode: (array) => array ?? [],
    encode: (array) => array
  })`,
      `const emptyIfNull = <A, I>(items: Schema.Codec<A, I>) =>
  Schema.NullOr(Schema.Array(items)).pipe(
    Schema.decodeTo(
      Schema.Array(Schema.toType(items)),
      SchemaTransformation.transform({ decode: (array) => array ?? [], encode: (array) => array })
    )
  )`
    ],
    [
      `  eventId: Schema.propertySignature(Schema.NonEmptyString).pipe(Schema.fromKey("event_id")),
  deliveryIds: Schema.propertySignature(emptyIfNull(Schema.String)).pipe(Schema.fromKey("delivery_ids"))
})`,
      `  eventId: Schema.NonEmptyString,
  deliveryIds: emptyIfNull(Schema.String)
}).pipe(Schema.encodeKeys({ eventId: "event_id", deliveryIds: "delivery_ids" }))`
    ],
    [
      `  eventId: Schema.propertySignature(Schema.NonEmptyString).pipe(Schema.fromKey("event_id")),
  topic: Schema.String,
  deliveries: emptyIfNull(DeliverySchema)
})`,
      `  eventId: Schema.NonEmptyString,
  topic: Schema.String,
  deliveries: emptyIfNull(DeliverySchema)
}).pipe(Schema.encodeKeys({ eventId: "event_id" }))`
    ],
    [
      `import * as Schema from "effect/Schema"\n`,
      `import * as Schema from "effect/Schema"\nimport * as SchemaTransformation from "effect/SchemaTransformation"\n`
    ]
  ],
  "src/HookrailAdmin.ts": [[`Stream.runFold(results, noReplays,`, `Stream.runFold(results, () => noReplays,`]],
  "src/RetryPolicy.ts": [
    [
      `  Schedule.makeWithState({ retries: 0, start: undefined }, (wall, error: HookrailError, state: Progress) =>
    Effect.map(
      next(policy, error, state),
      // The time of a schedule is that of the wall clock. Only the difference to it counts for the next step.
      ([state, delay]) =>
        delay === undefined
          ? [state, Duration.zero, ScheduleDecision.done] as const
          : [
            state,
            Duration.millis(delay),
            ScheduleDecision.continueWith(ScheduleInterval.after(wall + delay))
          ] as const
    ))
`,
      `  Schedule.fromStep(Effect.sync(() => {
    let progress: Progress = { retries: 0, start: undefined }
    // The time of a schedule is that of the wall clock, which may be set.
    return (_wall: number, error: HookrailError) =>
      Effect.flatMap(next(policy, error, progress), ([state, delay]) => {
        progress = state
        if (delay === undefined) return Cause.done(Duration.zero)
        const wait = Duration.millis(delay)
        return Effect.succeed<[Duration.Duration, Duration.Duration]>([wait, wait])
      })
  }))
`
    ],
    [
      `  self: Schedule.Schedule<Out, In, R>
): Schedule.Schedule<Out, In, R> =>
  Schedule.identity<In>().pipe(
    Schedule.intersect(self),
    Schedule.modifyDelay(([error], delay) =>
      Duration.max(delay, Duration.min(longestFloor, retryAfterOf(error) ?? Duration.zero))
    ),
    Schedule.map(([, out]) => out)
  )`,
      `  self: Schedule.Schedule<Out, In, never, R>
): Schedule.Schedule<Out, In, never, R> =>
  Schedule.modifyDelay(self, ({ duration, input }) =>
    Effect.succeed(Duration.max(duration, Duration.min(longestFloor, retryAfterOf(input) ?? Duration.zero))))`
    ]
  ],
  "src/SendGate.ts": [
    [`Metric.tagged(gauge, "requests", requests)`, `Metric.withAttributes(gauge, { requests })`],
    [
      `      Metric.set(state, states.indexOf(stats.state)),
      Metric.set(inFlight, stats.inFlight),
      Metric.set(waiting, stats.waiting),
      Metric.set(rate, stats.rate)`,
      `      Metric.update(state, states.indexOf(stats.state)),
      Metric.update(inFlight, stats.inFlight),
      Metric.update(waiting, stats.waiting),
      Metric.update(rate, stats.rate)`
    ]
  ],
  "src/SignatureVerifier.ts": [
    [`Effect.makeSemaphore(1)`, `Semaphore.make(1)`],
    [
      `import * as Redacted from "effect/Redacted"\n`,
      `import * as Fiber from "effect/Fiber"\nimport * as Redacted from "effect/Redacted"\nimport * as Semaphore from "effect/Semaphore"\n`
    ],
    [
      `const serviceOf = (source: Source,`,
      `/** Lets the caller go when it is interrupted, while the effect ends in a fiber of its own. */
const disconnected = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(Effect.interruptible(effect)), (fiber) =>
      Effect.onInterrupt(restore(Fiber.join(fiber)), () => Effect.sync(() => fiber.interruptUnsafe())))
  )

const serviceOf = (source: Source,`
    ],
    [
      `        Effect.disconnect,
        Effect.timeoutFail({
          duration: readTimeout,
          onTimeout: () => new HookrailConfigError({ option: "secrets", reason: \`not read within \${readTimeout}\` })
        })`,
      `        disconnected,
        Effect.timeoutOrElse({
          duration: readTimeout,
          orElse: () =>
            Effect.fail(new HookrailConfigError({ option: "secrets", reason: \`not read within \${readTimeout}\` }))
        })`
    ],
    [
      `Effect.dieMessage(\`check the clock: \${error.message}\`)`,
      `Effect.die(new Error(\`check the clock: \${error.message}\`))`
    ],
    [
      `Config.array(Config.redacted(), "HOOKRAIL_WEBHOOK_SECRETS")`,
      `Config.map(
 *     Config.String("HOOKRAIL_WEBHOOK_SECRETS"),
 *     (text) => text.split(",").map((secret) => Redacted.make(secret))
 *   )`
    ],
    [` * import { Config } from "effect"\n`, ` * import { Config, Redacted } from "effect"\n`],
    [`Effect.dieMessage("inspection has refused it")`, `Effect.die(new Error("inspection has refused it"))`],
    [`import type { ConfigError } from "effect/ConfigError"\n`, ""],
    [`HookrailConfigError | ConfigError>`, `HookrailConfigError | Config.ConfigError>`]
  ],
  "src/Topic.ts": [
    [
      `import * as JSONSchema from "effect/JSONSchema"\nimport * as ParseResult from "effect/ParseResult"\nimport * as Schema from "effect/Schema"\n`,
      `import * as Schema from "effect/Schema"\nimport * as SchemaIssue from "effect/SchemaIssue"\nimport * as SchemaParser from "effect/SchemaParser"\n`
    ],
    [
      `  if (!Either.isEither(decoded)) return Effect.mapError(decoded, faultOf)
  return Either.match(decoded as Either.Either<A, ParseResult.ParseIssue>, {
    onLeft: (issue) => Effect.fail(faultOf(issue)),
    onRight: Effect.succeed
  })`,
      `  return Exit.isExit(decoded) && Exit.isSuccess(decoded) ? decoded as Exit.Exit<A> : Effect.mapError(decoded, faultOf)`
    ],
    [
      `  const { "~standard": standard } = Schema.standardSchemaV1(schema)
  const input = () => JSONSchema.make(schema, { target: "jsonSchema2020-12" }) as object
  return { "~standard": { ...standard, jsonSchema: { input } } } as StandardSchema`,
      `  return Schema.toStandardJSONSchemaV1(Schema.toStandardSchemaV1(schema)) as unknown as StandardSchema`
    ],
    [`return Either.isEither(encoded) ?`, `return Exit.isExit(encoded) ?`],
    [
      `  const message = first?.message ?? "it does not fit the topic's Schema"
  const end = message.indexOf(", actual ")
  return { path: \`$\${path}\`, reason: end < 0 ? message : message.slice(0, end) }
}`,
      `  return { path: \`$\${path}\`, reason: first?.message ?? "it does not fit the topic's Schema" }
}`
    ],
    [
      `
const issuesOf = (issue: ParseResult.ParseIssue): ReadonlyArray<StandardIssue> =>
  ParseResult.ArrayFormatter.formatIssueSync(issue)`,
      `
const format = SchemaIssue.makeFormatterStandardSchemaV1()

const issuesOf = (issue: SchemaIssue.Issue): ReadonlyArray<StandardIssue> => format(issue).issues`
    ]
  ],
  "src/Webhooks.ts": [
    [
      ` * import { HttpRouter } from "@effect/platform"
 * import { Webhooks } from "hookrail"
 *
 * const router = HttpRouter.empty.pipe(HttpRouter.post("/webhooks", Webhooks.toHttpApp))`,
      ` * import { HttpRouter } from "effect/http"
 * import { Webhooks } from "hookrail"
 *
 * const server = HttpRouter.serve(HttpRouter.add("POST", "/webhooks", Webhooks.toHttpApp))`
    ],
    [
      `An \`HttpApp\` of \`@effect/platform\`, to mount in an \`HttpRouter\` or to serve alone.`,
      `A handler for \`effect/http\`, to mount in an \`HttpRouter\` or to serve alone.`
    ],
    [
      `  return Effect.interruptible(drain).pipe(
    Effect.timeoutTo({
      duration: \`\${seconds} seconds\`,
      onSuccess: () => Effect.void,
      onTimeout: () => Effect.logWarning(\`webhook handlers still running \${seconds} seconds after the shutdown began\`)
    }),
    Effect.flatten
  )`,
      `  return Effect.timeoutOrElse(Effect.interruptible(drain), {
    duration: \`\${seconds} seconds\`,
    orElse: () => Effect.logWarning(\`webhook handlers still running \${seconds} seconds after the shutdown began\`)
  })`
    ]
  ],
  "src/transport/failure.ts": [
    [
      `Effect.timeoutFail({
 *         duration: request.timeout,
 *         onTimeout: () => Transport.timeoutError("response", request.timeout)
 *       })`,
      `Effect.timeoutOrElse({
 *         duration: request.timeout,
 *         orElse: () => Effect.fail(Transport.timeoutError("response", request.timeout))
 *       })`
    ]
  ],
  "src/call/calls.ts": [
    [
      `      Either.match(Cause.failureOrCause(cause), {
        onLeft: (failure) => {
          const error = this.errorOf(call, failure)
          return error._tag === "GateTimeoutError"
            ? gaveUp(call, neverSent(call, error))
            : this.retried(call, error)
        },
        onRight: Effect.failCause
      }))`,
      `      Result.match(Cause.findError(cause), {
        onSuccess: (failure) => {
          const error = this.errorOf(call, failure)
          return error._tag === "GateTimeoutError"
            ? gaveUp(call, neverSent(call, error))
            : this.retried(call, error)
        },
        onFailure: Effect.failCause
      }))`
    ]
  ],
  "src/call/pauses.ts": [
    [
      `Effect.map(Schedule.driver(schedule), (driver) => (input: In) => driver.next(input))`,
      `Schedule.toStepWithSleep(schedule)`
    ]
  ],
  "src/fiber/tracing.ts": [
    [
      `import { currentTracerTimingEnabled } from "effect/FiberRef"`,
      `import { TracerTimingEnabled } from "effect/References"`
    ],
    [`fiber.getFiberRef(currentTracerTimingEnabled)`, `fiber.getRef(TracerTimingEnabled)`],
    // A date, as the start of the span.
    [`clock.unsafeCurrentTimeNanos()`, `clock.currentTimeNanosUnsafe()`],
    [`Effect.withParentSpan(rest, span)`, `Effect.withParentSpan(rest, span, { captureStackTrace: false })`]
  ],
  "src/receive/note.ts": [
    [`Effect.logWithLevel(level, message, cause)`, `Effect.logWithLevel(level)(message, cause)`],
    [`level: LogLevel.LogLevel`, `level: LogLevel.LogLevel`]
  ],
  "src/admin/calls.ts": [
    [`import { defaultRuntime, type Runtime } from "effect/Runtime"\n`, `import * as Context from "effect/Context"\n`],
    [`Runtime<never>`, `Context.Context<never>`],
    [`defaultRuntime`, `Context.empty()`],
    [
      `import * as Redacted from "effect/Redacted"\n`,
      `import * as Redacted from "effect/Redacted"\nimport * as Semaphore from "effect/Semaphore"\n`
    ],
    [`Effect.Semaphore`, `Semaphore.Semaphore`],
    [`Effect.unsafeMakeSemaphore(1)`, `Semaphore.makeUnsafe(1)`]
  ],
  "src/admin/client.ts": [
    [`import * as Chunk from "effect/Chunk"\n`, ""],
    [
      `Stream.paginateChunkEffect(undefined as string | undefined, `,
      `Stream.paginate(undefined as string | undefined, `
    ],
    [
      `[Chunk.unsafeFromArray(items), Option.fromNullable(nextCursor)] as const`,
      `[items, Option.fromNullishOr(nextCursor)] as const`
    ]
  ],
  "src/send/client.ts": [
    [
      `Effect.timeoutFail(effect, { duration: millis, onTimeout })`,
      `Effect.timeoutOrElse(effect, { duration: millis, orElse: () => Effect.fail(onTimeout()) })`
    ]
  ],
  "src/receive/receive.ts": [
    // A metric has its attributes from the start: those of `Metric.withAttributes` make a new context for each update.
    [
      `const received = Metric.counter("hookrail.webhooks", {
  description: "Webhook requests received, by outcome",
  incremental: true
})

const secretLastUsed = Metric.gauge("hookrail.webhooks.secret_last_used", {
  description: "When a webhook was last signed with each secret (0 is the first of the list), in seconds since 1970"
})
`,
      `const received = (attributes: Metric.Metric.AttributeSet) =>
  Metric.counter("hookrail.webhooks", {
    description: "Webhook requests received, by outcome",
    incremental: true,
    attributes
  })

const secretLastUsed = (attributes: Metric.Metric.AttributeSet) =>
  Metric.gauge("hookrail.webhooks.secret_last_used", {
    description: "When a webhook was last signed with each secret (0 is the first of the list), in seconds since 1970",
    attributes
  })
`
    ],
    [
      `{ _tag: "SpanLink", span: Tracer.externalSpan({ traceId, spanId, sampled }), attributes: {} }`,
      `{ span: Tracer.externalSpan({ traceId, spanId, sampled }), attributes: {} }`
    ],
    [
      `class Metrics {
  private readonly outcomes = new Map<Outcome, ReadonlyArray<MetricLabel.MetricLabel>>()
  private readonly secrets: Array<ReadonlyArray<MetricLabel.MetricLabel>> = []

  constructor(private readonly labels: ReadonlyArray<MetricLabel.MetricLabel>) {}

  count(outcome: Outcome): void {
    let labels = this.outcomes.get(outcome)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("outcome", outcome)]
      this.outcomes.set(outcome, labels)
    }
    received.unsafeUpdate(1, labels)
  }

  used({ secretIndex, signedAtSeconds }: VerifiedWebhook): void {
    const labels = this.secrets[secretIndex] ??= [...this.labels, MetricLabel.make("secret", String(secretIndex))]
    secretLastUsed.unsafeUpdate(signedAtSeconds, labels)
  }
}`,
      `class Metrics {
  private readonly outcomes = new Map<Outcome, Metric.Metric<number, unknown>>()
  private readonly secrets: Array<Metric.Metric<number, unknown>> = []

  constructor(private readonly context: Context.Context<never>) {}

  count(outcome: Outcome): void {
    let metric = this.outcomes.get(outcome)
    if (metric === undefined) {
      metric = received({ outcome })
      this.outcomes.set(outcome, metric)
    }
    metric.updateUnsafe(1, this.context)
  }

  used({ secretIndex, signedAtSeconds }: VerifiedWebhook): void {
    const metric = this.secrets[secretIndex] ??= secretLastUsed({ secret: String(secretIndex) })
    metric.updateUnsafe(signedAtSeconds, this.context)
  }
}`
    ],
    [
      `  private groundOn({ context, fiberRefs, runtimeFlags }: Runtime.Runtime<never>): Ground {
    return Ground.make(Context.merge(this.context, context), { fiberRefs, runtimeFlags })
  }`,
      `  private groundOn(context: Context.Context<never>): Ground {
    return new Ground(Context.merge(this.context, context))
  }`
    ],
    [`this.metricsOf(ground.labels)`, `this.metricsOf(ground)`],
    [
      `  private metricsOf(labels: ReadonlyArray<MetricLabel.MetricLabel>): Metrics {
    if (this.metrics?.[0] !== labels) this.metrics = [labels, new Metrics(labels)]`,
      `  private metricsOf({ context, labels }: Ground): Metrics {
    if (this.metrics?.[0] !== labels) this.metrics = [labels, new Metrics(context)]`
    ],
    [`readonly [ReadonlyArray<MetricLabel.MetricLabel>, Metrics]`, `readonly [Metric.Metric.AttributeSet, Metrics]`],
    [`import * as MetricLabel from "effect/MetricLabel"\n`, ""]
  ],
  "src/send/metrics.ts": [
    [
      `const duration = Metric.histogram(
  "hookrail.send.duration",
  MetricBoundaries.fromIterable([
    5,
    10,
    25,
    50,
    75,
    100,
    250,
    500,
    750,
    1000,
    2500,
    5000,
    7500,
    10_000,
    30_000,
    60_000
  ]),
  "How long sends take, with all attempts and pauses, in milliseconds"
)

`,
      `const duration = (attributes: Metric.Metric.AttributeSet) =>
  Metric.histogram("hookrail.send.duration", {
    boundaries: [
      5,
      10,
      25,
      50,
      75,
      100,
      250,
      500,
      750,
      1000,
      2500,
      5000,
      7500,
      10_000,
      30_000,
      60_000
    ],
    description: "How long sends take, with all attempts and pauses, in milliseconds",
    attributes
  })

`
    ],
    [
      `const sends = Metric.counter("hookrail.sends", {
  description: "Sends, by result: accepted, interrupted, or the error; and by what is known about the event",
  incremental: true
})

const attempts = Metric.counter("hookrail.send.attempts", {
  description: "Attempts of sends, by outcome: accepted, refused, not-sent, unknown",
  incremental: true
})
`,
      `// A metric has its attributes from the start: those of Metric.withAttributes make a new context for each update.
const sends = (attributes: Metric.Metric.AttributeSet) =>
  Metric.counter("hookrail.sends", {
    description: "Sends, by result: accepted, interrupted, or the error; and by what is known about the event",
    incremental: true,
    attributes
  })

const attempts = (attributes: Metric.Metric.AttributeSet) =>
  Metric.counter("hookrail.send.attempts", {
    description: "Attempts of sends, by outcome: accepted, refused, not-sent, unknown",
    incremental: true,
    attributes
  })
`
    ],
    [
      `type Labels = ReadonlyArray<MetricLabel.MetricLabel>

export class SendMetrics implements CallMetrics {
  private readonly results = new Map<string, Labels>()
  private readonly outcomes = new Map<string, Labels>()

  constructor(private readonly labels: Labels) {}

  attempted(call: Watched, outcome: string): void {
    if (call.kind !== "send") return
    let labels = this.outcomes.get(outcome)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("outcome", outcome)]
      this.outcomes.set(outcome, labels)
    }
    attempts.unsafeUpdate(1, labels)
  }

  ended(call: Watched, result: string, outcome: string): void {
    if (call.kind !== "send") return
    // No new text for the usual case.
    const key = result === outcome ? result : \`\${result} \${outcome}\`
    let labels = this.results.get(key)
    if (labels === undefined) {
      labels = [...this.labels, MetricLabel.make("result", result), MetricLabel.make("outcome", outcome)]
      this.results.set(key, labels)
    }
    sends.unsafeUpdate(1, labels)
    duration.unsafeUpdate(monotonicNow(call.clock) - call.start, labels)
  }

`,
      `class Measured {
  constructor(readonly sends: Metric.Metric<number, unknown>, readonly duration: Metric.Metric<number, unknown>) {}
}

export class SendMetrics implements CallMetrics {
  private readonly results = new Map<string, Measured>()
  private readonly outcomes = new Map<string, Metric.Metric<number, unknown>>()

  constructor(private readonly context: Context.Context<never>) {}

  attempted(call: Watched, outcome: string): void {
    if (call.kind !== "send") return
    let metric = this.outcomes.get(outcome)
    if (metric === undefined) {
      metric = attempts({ outcome })
      this.outcomes.set(outcome, metric)
    }
    metric.updateUnsafe(1, this.context)
  }

  ended(call: Watched, result: string, outcome: string): void {
    if (call.kind !== "send") return
    const key = result === outcome ? result : \`\${result} \${outcome}\`
    let metrics = this.results.get(key)
    if (metrics === undefined) {
      metrics = new Measured(
        sends({ result, outcome }),
        duration({ result, outcome })
      )
      this.results.set(key, metrics)
    }
    metrics.sends.updateUnsafe(1, this.context)
    metrics.duration.updateUnsafe(monotonicNow(call.clock) - call.start, this.context)
  }

`
    ],
    [
      `import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricLabel from "effect/MetricLabel"
`,
      ``
    ],
    [
      `import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
`,
      `import type * as Context from "effect/Context"
`
    ],
    [
      `new SendMetrics(FiberRefs.getOrDefault(runtime.fiberRefs, FiberRef.currentMetricLabels))`,
      `new SendMetrics(runtime)`
    ]
  ],
  "src/send/sendEvents.ts": [
    [`import * as Channel from "effect/Channel"\nimport * as Chunk from "effect/Chunk"\n`, ""],
    [`import * as Option from "effect/Option"\n`, `import * as Pull from "effect/Pull"\n`],
    [
      `const readyAll = (inputs: Chunk.Chunk<EventInput>): Effect.Effect<ReadonlyArray<Ready>> =>
  Effect.suspend(() => {
    const events = Chunk.toReadonlyArray(inputs).map(ready)`,
      `const readyAll = (inputs: ReadonlyArray<EventInput>): Effect.Effect<ReadonlyArray<Ready>> =>
  Effect.suspend(() => {
    const events = inputs.map(ready)`
    ],
    [`Wake<Chunk.Chunk<Result> | undefined, E | SendError>`, `Wake<Results | undefined, E | SendError>`],
    [`type Wake<A`, `type Results = NonEmptyReadonlyArray<Result>\ntype Wake<A`],
    [`import * as Effect from`, `import type { NonEmptyReadonlyArray } from "effect/Array"\nimport * as Effect from`],
    [
      `pull: Effect.Effect<Chunk.Chunk<EventInput>, Option.Option<E>, R>`,
      `pull: Pull.Pull<ReadonlyArray<EventInput>, E, void, R>`
    ],
    [
      `          this.end = Option.match(Cause.flipCauseOption(cause), {
            onNone: () => Effect.succeed(undefined),
            onSome: Effect.failCause
          })`,
      `          this.end = Pull.isDoneCause(cause)
            ? Effect.succeed(undefined)
            : Effect.failCause(cause as Cause.Cause<E>)`
    ],
    [
      `  readonly results: Channel.Channel<Chunk.Chunk<Result>, unknown, E | SendError, unknown, void> = Channel.flatMap(
    Channel.fromEffect(Effect.async<Chunk.Chunk<Result> | undefined, E | SendError>((resume) => {
      this.reader = resume
      this.deliver()
    })),
    (results) => results === undefined ? Channel.void : Channel.flatMap(Channel.write(results), () => this.results)
  )`,
      `  readonly results: Pull.Pull<Results, E | SendError> = Effect.flatMap(
    Effect.callback<Results | undefined, E | SendError>((resume) => {
      this.reader = resume
      this.deliver()
    }),
    (results) => results === undefined ? Cause.done() : Effect.succeed(results)
  )`
    ],
    [
      `Effect.interruptible(this.work(sending)), { immediate: false })`,
      `Effect.interruptible(this.work(sending)))`
    ],
    [
      `Effect.Effect<Chunk.Chunk<Result> | undefined, E | SendError>`,
      `Effect.Effect<Results | undefined, E | SendError>`
    ],
    [`Effect.succeed(Chunk.unsafeFromArray(results))`, `Effect.succeed(results as unknown as Results)`],
    [`Stream.fromChannel(flow.results)`, `Stream.fromPull(Effect.succeed(flow.results))`]
  ],
  "src/ways/runtime.ts": [
    [`Context.getOption(runtime.context, tag)`, `Context.getOption(runtime, tag)`],
    [`  const { runtimeEffect } = runtime\n`, `  const { contextEffect } = runtime\n`],
    [`runtime.runtime().then(`, `runtime.context().then(`],
    [`runtime.runtimeEffect === runtimeEffect`, `runtime.contextEffect === contextEffect`],
    [`a different \`runtimeEffect\``, `a different \`contextEffect\``]
  ],
  "src/transport/httpClient.ts": [
    // A fiber of Effect 4 does not inherit the region it is forked in.
    [
      `Effect.forkDaemon(exchange(request, limits))`,
      `Effect.forkDetach(exchange(request, limits), { uninterruptible: true })`
    ],
    [
      `import type { HttpClientError } from "@effect/platform/HttpClientError"`,
      `import type { HttpClientError } from "effect/http/HttpClientError"`
    ],
    [
      `  error.reason === "InvalidUrl"
    ? new TransportError({ reason: "connection", phase: "connect", description: "invalid URL" })
    : connectionError(error.cause, error._tag === "ResponseError" ? { phase: "body" } : undefined)`,
      `  error.reason._tag === "InvalidUrlError"
    ? new TransportError({ reason: "connection", phase: "connect", description: "invalid URL" })
    : connectionError(error.reason.cause, error.response === undefined ? undefined : { phase: "body" })`
    ],
    [`import * as Option from "effect/Option"\n`, `import { getOrUndefined } from "effect/Option"\n`],
    [`Option.getOrUndefined(init)`, `getOrUndefined(init)`],
    [`error.reason === "EmptyBody"`, `error.reason._tag === "EmptyBodyError"`],
    [
      `Effect.locallyWith(exchange, Headers.currentRedactedNames, (names) => [...names, "authorization"])`,
      `Effect.updateService(exchange, Headers.CurrentRedactedNames, (names) => [...names, "authorization"])`
    ],
    [
      `Effect.locally(exchange, HttpClient.currentTracerDisabledWhen, constTrue)`,
      `Effect.provideService(exchange, HttpClient.TracerDisabledWhen, constTrue)`
    ],
    [
      `Effect.async((resume) => fiber.addObserver(resume))`,
      `Effect.callback((resume) => void fiber.addObserver(resume))`
    ],
    [
      `error._tag === "ResponseError" && error.reason === "StatusCode"
        ? Effect.succeed(error.response)`,
      `error.reason._tag === "StatusCodeError"
        ? Effect.succeed(error.reason.response)`
    ]
  ]
}

const inTests = {
  "test/firstAttempt.test.ts": [
    [
      `      context: (f) => f(),
      span: (name, parent, context, links, startTime, kind) => {`,
      `      span: ({ annotations, kind, links, name, parent, startTime }) => {`
    ],
    [`          context,\n`, `          annotations,\n`]
  ],
  "test/attempts.test.ts": [[`Either.isLeft(result) ? result.left`, `Either.isLeft(result) ? result.failure`]],
  "test/transport.test.ts": [
    // The text of a response is its bytes, decoded.
    [`const text = vi.spyOn(web, "text")\n`, `const text = vi.spyOn(web, "arrayBuffer")\n`],
    [
      `vi.spyOn(web, "text").mockResolvedValue(text)`,
      `vi.spyOn(web, "arrayBuffer").mockResolvedValue(bytes(text).buffer as ArrayBuffer)`
    ],
    [`vi.spyOn(web, "text").mockRejectedValue(`, `vi.spyOn(web, "arrayBuffer").mockRejectedValue(`],
    [
      `Effect.fail(new HttpClientError.RequestError({ request, reason, cause }))`,
      `Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError[\`\${reason}Error\`]({ request, cause })
      })
    )`
    ],
    [
      `Effect.fail(new HttpClientError.ResponseError({ request, response, reason }))`,
      `Effect.fail(
            new HttpClientError.HttpClientError({
              reason: new HttpClientError[\`\${reason}Error\`]({ request, response })
            })
          )`
    ],
    [`exit._tag === "Failure" && Cause.isDie(exit.cause)`, `exit._tag === "Failure" && Cause.hasDies(exit.cause)`]
  ],
  "test/encode.test.ts": [
    [
      `Schema.Struct({ customer: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("ordering_key")) })`,
      `Schema.Struct({ customer: Schema.String }).pipe(Schema.encodeKeys({ customer: "ordering_key" }))`
    ]
  ],
  "test/sendEvents.test.ts": [
    [
      `      customer: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("ordering_key"))
    })`,
      `      customer: Schema.String
    }).pipe(Schema.encodeKeys({ customer: "ordering_key" }))`
    ],
    [
      `Schema.transformOrFail(Schema.Unknown, Schema.Unknown, {
        decode: (value) => Effect.succeed(value),
        encode: () => Effect.delay(Effect.die(new Error("encode")), "1 second")
      })`,
      `Schema.Unknown.pipe(Schema.decodeTo(Schema.Unknown, {
        decode: SchemaGetter.passthrough(),
        encode: SchemaGetter.transformEffect(() => Effect.delay(Effect.die(new Error("encode")), "1 second"))
      }))`
    ],
    [
      `import * as Schema from "effect/Schema"\n`,
      `import * as Schema from "effect/Schema"\nimport * as SchemaGetter from "effect/SchemaGetter"\n`
    ]
  ],
  "test/catalogue.test.ts": [
    [`import { Effect, Exit, Schema } from "effect"`, `import { Effect, Exit, Schema, SchemaGetter } from "effect"`],
    [
      `Schema.transformOrFail(Schema.String, Schema.Number, {
          strict: true,
          decode: (text) => Effect.promise(async () => Number(text)),
          encode: (number) => Effect.promise(async () => String(number))
        })`,
      `Schema.String.pipe(Schema.decodeTo(Schema.Number, {
          decode: SchemaGetter.transformEffect((text: string) => Effect.promise(async () => Number(text))),
          encode: SchemaGetter.transformEffect((number: number) => Effect.promise(async () => String(number)))
        }))`
    ]
  ],
  "test/interruption.test.ts": [
    [
      `      // The fiber finds both at once, and does not go on with the answer.
      answered()
      fiber.unsafeInterruptAsFork(FiberId.none)
      strictEqual(Exit.isInterrupted(yield* Fiber.await(fiber)), true)
      deepStrictEqual(told.map(({ outcome }) => outcome), ["unknown"])`,
      `      // A fiber of Effect 4 goes on at once with what it waited for: the interruption comes too late.
      answered()
      fiber.interruptUnsafe()
      strictEqual(Exit.isSuccess(yield* Fiber.await(fiber)), true)
      deepStrictEqual(told, [])`
    ],
    [
      `import { Effect, Exit, Fiber, FiberId, Layer, Schema, TestClock } from "effect"`,
      `import { Effect, Exit, Fiber, Layer, Schema, SchemaGetter, TestClock } from "effect"`
    ],
    [
      `Schema.transformOrFail(Schema.String, Schema.Unknown, {
          decode: () => Effect.never,
          encode: () => Effect.never
        })`,
      `Schema.String.pipe(Schema.decodeTo(Schema.Unknown, {
          decode: SchemaGetter.transformEffect(() => Effect.never),
          encode: SchemaGetter.transformEffect(() => Effect.never)
        }))`
    ]
  ],
  "test/HookrailClient.test.ts": [
    [
      `Logger.add(Logger.make(({ message }) => void logs.push(message)))`,
      `Logger.layer([Logger.make(({ message }) => void logs.push(message))], { mergeWithExisting: true })`
    ]
  ],
  "test/SignatureVerifier.test.ts": [
    [`{ _op: "MissingData" }`, `{ _tag: "ConfigError" }`],
    [`ConfigProvider.fromMap(new Map(env))`, `ConfigProvider.fromUnknown(Object.fromEntries(env))`],
    [
      `Config.array(Config.redacted(), "SECRETS")`,
      `Config.map(Config.String("SECRETS"), (text) => text.split(",").map((secret) => Redacted.make(secret.trim())))`
    ]
  ],
  "test/rotation.test.ts": [
    // The default provider of Effect 4 reads the environment once.
    [
      `it.effect("is a way of giving the secrets, and is read again from the environment", () =>`,
      `it.effect("is read again from the environment, with a provider that does so", () =>`
    ],
    [
      `      const verifier = yield* SignatureVerifier.make({ secrets: Config.redacted("TEST_WEBHOOK_SECRET") })
      strictEqual(yield* outcomeOf(verifier, old), 0)
      vi.stubEnv(`,
      `      const verifier = yield* Effect.provideService(
        SignatureVerifier.make({ secrets: Config.redacted("TEST_WEBHOOK_SECRET") }),
        ConfigProvider.ConfigProvider,
        ConfigProvider.make((path) => ConfigProvider.fromEnv().load(path))
      )
      strictEqual(yield* outcomeOf(verifier, old), 0)
      vi.stubEnv(`
    ],
    [
      `  const providerOf = (values: ReadonlyMap<string, string>) => {
    const { patch } = ConfigProvider.fromMap(new Map()).flattened
    return ConfigProvider.fromFlat(ConfigProvider.makeFlat({
      load: (path, config, split) => ConfigProvider.fromMap(new Map(values)).flattened.load(path, config, split),
      enumerateChildren: (path) => ConfigProvider.fromMap(new Map(values)).flattened.enumerateChildren(path),
      patch
    }))
  }`,
      `  const providerOf = (values: ReadonlyMap<string, string>) =>
    ConfigProvider.make((path) => ConfigProvider.fromUnknown(Object.fromEntries(values)).load(path))`
    ],
    [
      `      const verifier = yield* Effect.withConfigProvider(
        SignatureVerifier.make({ secrets: Config.redacted("SECRET") }),
        providerOf(secrets)
      )`,
      `      const verifier = yield* Effect.provideService(
        SignatureVerifier.make({ secrets: Config.redacted("SECRET") }),
        ConfigProvider.ConfigProvider,
        providerOf(secrets)
      )`
    ],
    [
      `        ConfigProvider.fromMap(
          new Map([["SECRET", Redacted.value(old)], ["SECRETS", \`\${Redacted.value(fresh)},\${Redacted.value(old)}\`]])
        )`,
      `        ConfigProvider.fromUnknown({
          SECRET: Redacted.value(old),
          SECRETS: \`\${Redacted.value(fresh)},\${Redacted.value(old)}\`
        })`
    ],
    [`"_op" in error && error._op === "MissingData"`, `error._tag === "ConfigError"`],
    [
      `Config.array(Config.redacted(), "SECRETS")`,
      `Config.map(Config.String("SECRETS"), (text) => text.split(",").map((secret) => Redacted.make(secret.trim())))`
    ]
  ],
  "test/imports.test.ts": [
    // Config of Effect 4 is built on its Schema, so both entries reach that.
    [
      `"%s reaches neither @effect/platform nor effect/Schema"`,
      `"%s reaches no client or server of HTTP, and no barrel"`
    ],
    [`found("/effect/dist/esm/").length`, `found("/effect/dist/").length`],
    [
      `    assert.deepStrictEqual(found("@effect/platform"), [])
    assert.deepStrictEqual(found("/effect/dist/esm/Schema.js"), [])
    assert.deepStrictEqual(found("/effect/dist/esm/index.js"), [])`,
      `    assert.deepStrictEqual(found("/effect/dist/http/Http"), [])
    assert.deepStrictEqual(found("/effect/dist/index.js"), [])`
    ],
    [
      `    assert.isTrue(files.some((file) => file.includes("@effect/platform")))
    assert.isTrue(files.some((file) => file.endsWith("/effect/dist/esm/Schema.js")))`,
      `    assert.isTrue(files.some((file) => file.endsWith("/effect/dist/http/HttpClient.js")))`
    ]
  ],
  "test/options.test.ts": [
    [`Duration.decodeUnknown(text)`, `Duration.fromInput(text as Duration.Input)`],
    [
      `      assert.deepInclude(Exit.isFailure(exit) && exit.cause, { _tag: "Fail" })
      const error = Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error as object : {}`,
      `      assert.isTrue(Exit.isFailure(exit) && Cause.hasFails(exit.cause))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) as object : {}`
    ]
  ],
  "test/Webhooks.test.ts": [
    [
      `Logger.replace(
        Logger.defaultLogger,
        Logger.make(() => {
          throw new Error("disk full")
        })
      )`,
      `Logger.layer([Logger.make(() => {
        throw new Error("disk full")
      })])`
    ],
    [
      `Logger.make(({ annotations, cause, logLevel, message }) => {
      const notes = JSON.stringify(Object.fromEntries(HashMap.toEntries(annotations)))`,
      `Logger.make(({ cause, fiber, logLevel, message }) => {
      const notes = JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))`
    ]
  ],
  "test/gateSteps.test.ts": [
    [`[null, null]`, `[undefined, undefined]`],
    [
      `      yield* TestClock.adjust(1)
      for (const fiber of hasty)`,
      `      // Who is next goes on before the answer of the probe: it looks again after the shortest pause, and a second later.
      yield* TestClock.adjust(101)
      for (const fiber of hasty)`
    ]
  ],
  "test/gate.test.ts": [
    [
      `        // Runs in the same breath as the release: the waiter is called, but has not run yet.`,
      `        // Runs in the same breath as the release: but a fiber of Effect 4 that is called goes on at once.`
    ],
    [
      `      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(waiter)))
      assert.isFalse(ran)
      strictEqual(yield* Fiber.join(last), "ok")`,
      `      assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiter)))
      assert.isTrue(ran)
      strictEqual(yield* Fiber.join(last), "ok")`
    ],
    [
      `      yield* TestClock.adjust(6_000)
      yield* Fiber.join(probe)
      // The next turn is at 10 seconds. It learns that before its time is up.`,
      `      // Who is next goes on before the answer of the probe: it looks again after the shortest pause, and a second later.
      yield* TestClock.adjust(6_100)
      yield* Fiber.join(probe)
      // The next turn is at 10 seconds.`
    ],
    [
      `Effect.withClock(Effect.either(through(gate, Effect.sync(() => (ran = true, "ok")))), interrupting)`,
      `Effect.provideService(
          Effect.either(through(gate, Effect.sync(() => (ran = true, "ok")))),
          Clock.Clock,
          interrupting
        )`
    ],
    [
      `Logger.make(({ annotations, logLevel, message }) => {`,
      `Logger.make(({ fiber, logLevel, message }) => {
      const annotations = fiber.getRef(References.CurrentLogAnnotations)`
    ],
    [`HashMap.unsafeGet(annotations, "hookrail.gate.state")`, `annotations["hookrail.gate.state"]`],
    [
      `        pairs.find(({ metricKey }) =>
          metricKey.name === \`hookrail.gate.\${name}\` && metricKey.tags.some(({ value }) =>
            value === requests
          )
        )?.metricState)`,
      `        pairs.find(({ attributes, id }) => id === \`hookrail.gate.\${name}\` && attributes?.["requests"] === requests)?.state)`
    ]
  ],
  "test/calls.test.ts": [
    [
      `        context: (f) => f(),
        span: (name, parent, context, links, startTime, kind) => {`,
      `        span: ({ annotations, kind, links, name, parent, startTime }) => {`
    ],
    [`            context,\n`, `            annotations,\n`],
    [
      `Logger.make(({ annotations, cause, message }) =>
        seen.push(message, Cause.pretty(cause), annotations)`,
      `Logger.make(({ cause, fiber, message }) =>
        seen.push(message, Cause.pretty(cause), fiber.getRef(References.CurrentLogAnnotations))`
    ]
  ]
}

const inTypeTests = {
  "dtslint/RetryPolicy.tst.ts": [
    [
      `const overRetryable = Schedule.recurWhile<HookrailError.RetryableError>(({ _tag }) => _tag === "ServerError")
const overAny = Schedule.recurWhile<HookrailError.HookrailError>(({ _tag }) => _tag === "ServerError")`,
      `const over = <Error extends HookrailError.HookrailError>() =>
  Schedule.identity<Error>().pipe(Schedule.while(({ input }) => input._tag === "ServerError"))
const overRetryable = over<HookrailError.RetryableError>()
const overAny = over<HookrailError.HookrailError>()`
    ],
    [
      `Schedule.recurWhile((n: number) => n > 1)`,
      `Schedule.identity<number>()`
    ],
    [
      `Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(5))`,
      `Schedule.max([Schedule.spaced("1 second"), Schedule.recurs(5)])`
    ]
  ]
}

const inTestsOfNode = {
  "test/proxy.test.ts": [
    // Providers of Effect 4 take an empty variable for one that is not set, unless they are told otherwise.
    [
      `  Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))`,
      `  Effect.provideService(
    ConfigProvider.ConfigProvider,
    ConfigProvider.fromUnknown(variables, { preserveEmptyStrings: true })
  )`
    ]
  ],
  "test/admin.test.ts": [
    // Effect 4 brings an undici that needs a newer Node.
    [`NodeHttpClient.layerUndici`, `NodeHttpClient.layer`]
  ],
  "test/httpClientTransports.test.ts": [
    [
      `transportSuite("layerHttpClient over undici",`,
      `// Effect 4 brings an undici that needs a newer Node.
if (Number.parseInt(process.versions.node) >= 22) transportSuite("layerHttpClient over undici",`
    ],
    [`...Array(3).fill("http.client POST")`, `...Array(3).fill("POST")`],
    // Spans of Effect 4 have headers only if they are asked for.
    [
      `        Effect.withSpan("caller"),
`,
      `        Effect.withSpan("caller"),
        Effect.provideService(HttpClient.TracerHeaderFilter, () => true),
`
    ]
  ],
  "test/transportSuite.ts": [
    [`Cause.pretty(Cause.fail(error), { renderErrorCause: true })`, `Cause.pretty(Cause.fail(error))`],
    [`result.right.body`, `result.success.body`],
    [`success.right.body`, `success.success.body`]
  ]
}

const ofOutbox = {
  "src/effect-3.ts": [
    // Clients of Effect 4 tell when a transaction has committed.
    [
      `import { executor, executorOutside } from "./line-3/executor.js"
`,
      `import { executor, executorOutside } from "./line-3/executor.js"
import { Relay } from "./line-3/Relay.js"
`
    ],
    [
      `    return yield* Effect.tryPromise({
      try: () => plain.enqueueMany(`,
      `    // Where a relay runs in this process, it need not wait for its next look.
    const relay = yield* Effect.serviceOption(Relay)
    if (Option.isSome(relay)) yield* (yield* SqlClient.SqlClient).afterCommit(relay.value.wake)
    // @effect-diagnostics-next-line unknownInEffectCatch:off -- sorted out right below
    return yield* Effect.tryPromise({
      try: () => plain.enqueueMany(`
    ]
  ],
  "src/line-3/Relay.ts": [
    [
      `  /** A hint that there are new events: the relay looks at once. Run it after a commit in the same process. */`,
      `  /**
   * A hint that there are new events: the relay looks at once. \`enqueue\` does this after the commit, where the relay is in its
   * context.
   */`
    ]
  ]
}

/** By package. */
export const edits = {
  hookrail: { ...source, ...inTests, ...inTypeTests },
  node: inTestsOfNode,
  outbox: ofOutbox
}
