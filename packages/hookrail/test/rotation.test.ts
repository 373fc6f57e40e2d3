import { afterEach, describe, it, vi } from "@effect/vitest"
import { assertFalse, assertInclude, assertTrue, deepStrictEqual, strictEqual } from "@effect/vitest/utils"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Data,
  Deferred,
  Effect,
  Fiber,
  Layer,
  Logger,
  Redacted,
  Ref,
  TestClock
} from "effect"
import * as SignatureVerifier from "../src/SignatureVerifier.js"

const old = Redacted.make("whsec_canary_old_0123456789")
const fresh = Redacted.make("whsec_canary_new_0123456789")
const deliveryId = "01JXAMPLEDELIVERYID0000000"
const body = `{"amount": 42}`

const start = 1781092800_000
const startOfTest = TestClock.setTime(start)

class StoreError extends Data.TaggedError("StoreError")<{ readonly reason: string }> {}

type Service = SignatureVerifier.Service

/** Verifies what is signed now with a secret. */
const verify = (verifier: Service, secret: Redacted.Redacted<string>) =>
  Effect.gen(function*() {
    const signature = yield* SignatureVerifier.sign({ secret, deliveryId, body })
    return yield* verifier.verify({ signature, deliveryId, body })
  })

/** Which secret matched; the error's tag, if none did. */
const outcomeOf = (verifier: Service, secret: Redacted.Redacted<string>) =>
  Effect.match(verify(verifier, secret), {
    onFailure: (error) => error._tag,
    onSuccess: ({ secretIndex }) => secretIndex
  })

/** A secret store: what it holds can be changed, and how it is read; readings are counted. */
class Store {
  readings = 0
  read: Effect.Effect<SignatureVerifier.Secrets, StoreError>
  readonly secrets: Effect.Effect<SignatureVerifier.Secrets, StoreError> = Effect.suspend(() => {
    this.readings++
    return this.read
  })

  constructor(secrets: SignatureVerifier.Secrets) {
    this.read = Effect.succeed(secrets)
  }
}

/** What is logged meanwhile: a line for each message, with the time since the start of the test and the cause. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, ReadonlyArray<string>], E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ cause, date, logLevel, message }) => {
      const text = `${String(message)} ${Cause.pretty(cause, { renderErrorCause: true })}`
      lines.push(`${date.getTime() - start} ms: ${logLevel.label} ${text}`)
    })
    return effect.pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Effect.map((value) => [value, lines] as const)
    )
  })

afterEach(() => {
  vi.unstubAllEnvs()
})

describe("reading the secrets", () => {
  it.effect("they are read once, when the verifier is made, and not again while signatures match", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      strictEqual(store.readings, 1)
      for (let times = 0; times < 3; times++) {
        strictEqual(yield* outcomeOf(verifier, old), 0)
        yield* TestClock.adjust("99 seconds")
      }
      strictEqual(store.readings, 1)
    }))

  it.effect("they are read again after 5 minutes, or the time given: a revoked secret dies", () =>
    Effect.gen(function*() {
      for (const [refresh, millis] of [[undefined, 300_000], ["30 seconds", 30_000]] as const) {
        yield* startOfTest
        const store = new Store(old)
        const verifier = yield* SignatureVerifier.make({ secrets: store.secrets, refresh })
        store.read = Effect.succeed(fresh)
        yield* TestClock.adjust(millis - 1)
        strictEqual(yield* outcomeOf(verifier, old), 0)
        strictEqual(store.readings, 1)
        yield* TestClock.adjust(1)
        strictEqual(yield* outcomeOf(verifier, old), "SignatureError")
        strictEqual(store.readings, 2)
        strictEqual(yield* outcomeOf(verifier, fresh), 0)
      }
    }))

  it.effect("while they cannot be read again, the last ones stay, and nobody waits more than once", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = Effect.never
      yield* TestClock.adjust("5 minutes")
      const [, lines] = yield* logged(
        Effect.gen(function*() {
          const first = yield* Effect.fork(outcomeOf(verifier, old))
          yield* TestClock.adjust("3 seconds")
          strictEqual(yield* Fiber.join(first), 0)
          for (let times = 0; times < 100; times++) strictEqual(yield* outcomeOf(verifier, old), 0)
          strictEqual(store.readings, 2)
          yield* TestClock.adjust("2 seconds")
          strictEqual(yield* outcomeOf(verifier, old), 0)
          yield* TestClock.adjust("0 seconds")
          strictEqual(store.readings, 3)
        })
      )
      strictEqual(lines.length, 1)
      // It is back.
      store.read = Effect.succeed(fresh)
      yield* TestClock.adjust("10 seconds")
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
    }))

  it.effect("neither what is malformed nor what is too old has them read again", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      const signature = yield* SignatureVerifier.sign({ secret: fresh, deliveryId, body, timestamp: 1 })
      const late = yield* Effect.flip(verifier.verify({ signature, deliveryId, body }))
      const malformed = yield* Effect.flip(verifier.verify({ signature: "x", deliveryId, body }))
      const foreign = yield* Effect.flip(verifier.verifyRequest({ "stripe-signature": "t=1,v1=x" }, body))
      deepStrictEqual<ReadonlyArray<string>>([late._tag, malformed._tag, foreign._tag], [
        "SignatureTimestampError",
        "MalformedSignatureError",
        "MalformedSignatureError"
      ])
      strictEqual(store.readings, 1)
    }))

  it.effect("a failure of the first reading is that of make; a layer is there, and reads again when it is needed", () =>
    Effect.gen(function*() {
      const secrets = Effect.fail(new StoreError({ reason: "down" }))
      strictEqual((yield* Effect.flip(SignatureVerifier.make({ secrets })))._tag, "StoreError")
      yield* startOfTest
      const store = new Store(old)
      store.read = secrets
      const [outcomes, lines] = yield* logged(Effect.provide(
        Effect.gen(function*() {
          const verifier = yield* SignatureVerifier.SignatureVerifier
          const first = yield* outcomeOf(verifier, old)
          strictEqual(store.readings, 1)
          store.read = Effect.succeed(old)
          yield* TestClock.adjust("5 seconds")
          return [first, yield* outcomeOf(verifier, old)]
        }),
        SignatureVerifier.layer({ secrets: store.secrets })
      ))
      deepStrictEqual(outcomes, ["WebhookSecretsError", 0])
      strictEqual(lines.length, 1)
      assertInclude(lines[0], "WARN the webhook secrets could not be read: webhooks are answered with 503")
    }))

  it.effect("of make, a first reading has 3 seconds", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.flip(SignatureVerifier.make({ secrets: Effect.never })))
      yield* TestClock.adjust("3 seconds")
      const error = yield* Fiber.join(fiber)
      strictEqual(error._tag, "HookrailConfigError")
      assertInclude(error.message, "not read within 3 seconds")
    }))

  it.effect("lazily: read when the first signed request needs them, once in 5 seconds, until that succeeds", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      store.read = Effect.fail(new StoreError({ reason: "sealed" }))
      const verifier = yield* SignatureVerifier.makeLazy({ secrets: store.secrets })
      for (let times = 0; times < 1000; times++) {
        yield* Effect.flip(verifier.verify({ signature: "x", deliveryId, body }))
      }
      strictEqual(store.readings, 0)
      const [, lines] = yield* logged(Effect.gen(function*() {
        for (let times = 0; times < 1000; times++) {
          strictEqual(yield* outcomeOf(verifier, fresh), "WebhookSecretsError")
        }
        strictEqual(store.readings, 1)
      }))
      strictEqual(lines.length, 1)
      store.read = Effect.succeed(old)
      yield* TestClock.adjust("5 seconds")
      strictEqual(yield* outcomeOf(verifier, old), 0)
      for (let times = 0; times < 1000; times++) strictEqual(yield* outcomeOf(verifier, fresh), "SignatureError")
      strictEqual(store.readings, 2)
      store.read = Effect.succeed(fresh)
      yield* TestClock.adjust("5 seconds")
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
      strictEqual(store.readings, 3)
    }))

  it.effect("lazily: a hundred first requests at the same time wait for one reading, and at most 3 seconds", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      store.read = Effect.never
      const verifier = yield* SignatureVerifier.makeLazy({ secrets: store.secrets })
      const all = yield* Effect.fork(
        Effect.all(Array.from({ length: 100 }, () => outcomeOf(verifier, old)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("3 seconds")
      deepStrictEqual<unknown>(new Set(yield* Fiber.join(all)), new Set(["WebhookSecretsError"]))
      strictEqual(store.readings, 1)
    }))

  it.effect("secrets that cannot work fail make with a HookrailConfigError", () =>
    Effect.gen(function*() {
      for (const secret of ["", "whsec_canary ", "\"whsec_canary\""]) {
        const error = yield* Effect.flip(
          SignatureVerifier.make({ secrets: Effect.succeed([old, Redacted.make(secret)]) })
        )
        strictEqual(error._tag, "HookrailConfigError")
        strictEqual(error.option, "secrets")
        assertInclude(error.message, "secret 2 of 2")
      }
    }))

  it.effect("what the reading needs is taken from where the verifier is made, for every reading", () =>
    Effect.gen(function*() {
      yield* startOfTest
      class Vault extends Context.Tag("test/Vault")<Vault, Ref.Ref<Redacted.Redacted<string>>>() {}
      const vault = yield* Ref.make(old)
      const layer = SignatureVerifier.layer({ secrets: Effect.flatMap(Vault, Ref.get) }).pipe(
        Layer.provide(Layer.succeed(Vault, vault))
      )
      const outcomes = yield* Effect.provide(
        Effect.gen(function*() {
          const verifier = yield* SignatureVerifier.SignatureVerifier
          const first = yield* outcomeOf(verifier, old)
          yield* Ref.set(vault, fresh)
          return [first, yield* outcomeOf(verifier, fresh)]
        }),
        layer
      )
      deepStrictEqual(outcomes, [0, 0])
    }))
})

describe("after a mismatch", () => {
  it.effect("they are read again, and the same request is verified again", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = Effect.succeed(fresh)
      const webhook = yield* verify(verifier, fresh)
      strictEqual(webhook.body, body)
      strictEqual(webhook.deliveryId, deliveryId)
      strictEqual(store.readings, 2)
      // The old one is no longer in force.
      strictEqual(yield* outcomeOf(verifier, old), "SignatureError")
    }))

  it.effect("a request keeps its headers, when it is verified again", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = Effect.succeed(fresh)
      const signature = yield* SignatureVerifier.sign({ secret: fresh, deliveryId, body })
      const headers = {
        "hookrail-signature": signature,
        "hookrail-delivery-id": deliveryId,
        "hookrail-topic": "orders.created",
        "hookrail-event-id": "01EVENT"
      }
      const { eventId, secretIndex, topic } = yield* verifier.verifyRequest(headers, body)
      deepStrictEqual({ eventId, secretIndex, topic }, { eventId: "01EVENT", secretIndex: 0, topic: "orders.created" })
    }))

  it.effect("secretIndex is that among the secrets in force", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      strictEqual(yield* outcomeOf(verifier, old), 0)
      store.read = Effect.succeed([fresh, old])
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
      strictEqual(yield* outcomeOf(verifier, old), 1)
      strictEqual(store.readings, 2)
    }))

  it.effect("that remains one, the error is explained by the secrets just read", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = Effect.succeed(Redacted.make("canary_new_0123456789"))
      const error = yield* Effect.flip(verify(verifier, fresh))
      assertTrue(error._tag === "SignatureError" && error.mistake === "secret-prefix")
    }))

  it.effect("they are read at most once in 5 seconds", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      const readings: Array<number> = []
      for (const millis of [0, 1, 4_998, 1, 4_999, 1, 60_000, 0]) {
        yield* TestClock.adjust(millis)
        strictEqual(yield* outcomeOf(verifier, fresh), "SignatureError")
        readings.push(store.readings)
      }
      // At 0, 1, 4999, 5000, 9999, 10000, 70000 and 70000 ms.
      deepStrictEqual(readings, [2, 2, 2, 3, 3, 4, 5, 5])
    }))

  it.effect("in between, a secret that was rotated is met as soon as they may be read again", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      strictEqual(yield* outcomeOf(verifier, fresh), "SignatureError")
      store.read = Effect.succeed(fresh)
      yield* TestClock.adjust("4999 millis")
      strictEqual(yield* outcomeOf(verifier, fresh), "SignatureError")
      yield* TestClock.adjust("1 millis")
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
    }))

  it.effect("they are read again, even if the clock was set back", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      strictEqual(yield* outcomeOf(verifier, fresh), "SignatureError")
      store.read = Effect.succeed(fresh)
      yield* TestClock.setTime(start - 3_600_000)
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
    }))

  it.effect("with secrets that are given, there is nothing to read", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const verifier = yield* SignatureVerifier.make({ secrets: [old] })
      strictEqual(yield* outcomeOf(verifier, fresh), "SignatureError")
      strictEqual(yield* outcomeOf(verifier, old), 0)
    }))
})

describe("many requests at the same time", () => {
  it.effect("read once, and all of them succeed", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = Effect.delay(Effect.succeed<SignatureVerifier.Secrets>([fresh, old]), "1 second")
      const requests = Array.from({ length: 100 }, () => outcomeOf(verifier, fresh))
      const fiber = yield* Effect.fork(Effect.all(requests, { concurrency: "unbounded" }))
      yield* TestClock.adjust("999 millis")
      strictEqual(fiber.unsafePoll(), null)
      // What the old secret matches does not wait.
      strictEqual(yield* outcomeOf(verifier, old), 0)
      yield* TestClock.adjust("1 millis")
      deepStrictEqual(yield* Fiber.join(fiber), Array.from({ length: 100 }, () => 0))
      strictEqual(store.readings, 2)
    }))

  it.effect("fail together, after one reading that did not help", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = Effect.delay(Effect.succeed(old), "1 second")
      const requests = Array.from({ length: 100 }, () => outcomeOf(verifier, fresh))
      const fiber = yield* Effect.fork(Effect.all(requests, { concurrency: "unbounded" }))
      yield* TestClock.adjust("1 second")
      deepStrictEqual<unknown>(new Set(yield* Fiber.join(fiber)), new Set(["SignatureError"]))
      strictEqual(store.readings, 2)
    }))

  it.effect("wait 3 seconds in all for a reading that hangs", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = Effect.never
      const requests = Array.from({ length: 100 }, () => outcomeOf(verifier, fresh))
      const fiber = yield* Effect.fork(Effect.all(requests, { concurrency: "unbounded" }))
      yield* TestClock.adjust("3 seconds")
      deepStrictEqual<unknown>(new Set(yield* Fiber.join(fiber)), new Set(["SignatureError"]))
      strictEqual(store.readings, 2)
    }))

  it.effect("do without the one that began the reading, if it is interrupted", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      const started = yield* Deferred.make<void>()
      store.read = Effect.zipRight(
        Deferred.succeed(started, undefined),
        Effect.delay(Effect.succeed(fresh), "1 second")
      )
      const first = yield* Effect.fork(outcomeOf(verifier, fresh))
      yield* Deferred.await(started)
      const second = yield* Effect.fork(outcomeOf(verifier, fresh))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      strictEqual(yield* Fiber.join(second), 0)
    }))
})

describe("a reading that does not succeed", () => {
  /** What a mismatch ends with, and what is logged, while the store reads so. */
  const mismatch = (read: Effect.Effect<SignatureVerifier.Secrets, StoreError>) =>
    Effect.gen(function*() {
      yield* startOfTest
      const store = new Store(old)
      const verifier = yield* SignatureVerifier.make({ secrets: store.secrets })
      store.read = read
      const [exit, lines] = yield* logged(
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(Effect.exit(verify(verifier, fresh)))
          yield* TestClock.adjust("3 seconds")
          // For one that waits longer than it should.
          yield* TestClock.adjust("1 minute")
          return yield* Fiber.join(fiber)
        })
      )
      strictEqual(yield* outcomeOf(verifier, old), 0)
      // And it is tried again later.
      store.read = Effect.succeed(fresh)
      yield* TestClock.adjust("2 seconds")
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
      return [exit, lines] as const
    })

  const cases: ReadonlyArray<
    readonly [name: string, after: number, Effect.Effect<SignatureVerifier.Secrets, StoreError>, logged: string]
  > = [
    ["fails", 0, Effect.fail(new StoreError({ reason: "the vault is sealed" })), "StoreError"],
    ["dies", 0, Effect.dieMessage("no such vault"), "no such vault"],
    ["is interrupted", 0, Effect.interrupt, "interrupted"],
    ["hangs", 3000, Effect.never, "not read within 3 seconds"],
    [
      "cannot be interrupted",
      3000,
      Effect.uninterruptible(Effect.delay(Effect.succeed(fresh), "1 minute")),
      "not read within 3"
    ],
    [
      "gives a secret that cannot work",
      0,
      Effect.succeed(Redacted.make(" whsec_canary_new_0123456789")),
      "white space"
    ],
    [
      "gives a secret in quotes",
      0,
      Effect.succeed([old, Redacted.make("'whsec_canary_new_0123456789'")]),
      "secret 2 of 2"
    ],
    ["gives none", 0, Effect.succeed([] as never), "at least one"]
  ]
  for (const [name, after, read, cause] of cases) {
    it.effect(`leaves the last secrets in force, if it ${name}: a SignatureError, and a warning without secrets`, () =>
      Effect.gen(function*() {
        const [exit, lines] = yield* mismatch(read)
        strictEqual((yield* Effect.flip(exit))._tag, "SignatureError")
        strictEqual(lines.length, 1)
        assertTrue(lines[0]!.startsWith(`${after} ms: WARN the webhook secrets could not be read again`), lines[0])
        assertInclude(lines[0], cause)
        assertFalse(lines.join().includes("canary"), lines.join())
      }))
  }
})

describe("Config", () => {
  /** A provider whose values may change: that of `fromMap` keeps a copy. */
  const providerOf = (values: ReadonlyMap<string, string>) => {
    const { patch } = ConfigProvider.fromMap(new Map()).flattened
    return ConfigProvider.fromFlat(ConfigProvider.makeFlat({
      load: (path, config, split) => ConfigProvider.fromMap(new Map(values)).flattened.load(path, config, split),
      enumerateChildren: (path) => ConfigProvider.fromMap(new Map(values)).flattened.enumerateChildren(path),
      patch
    }))
  }

  it.effect("is a way of giving the secrets, and is read again from the environment", () =>
    Effect.gen(function*() {
      yield* startOfTest
      vi.stubEnv("TEST_WEBHOOK_SECRET", Redacted.value(old))
      const verifier = yield* SignatureVerifier.make({ secrets: Config.redacted("TEST_WEBHOOK_SECRET") })
      strictEqual(yield* outcomeOf(verifier, old), 0)
      vi.stubEnv("TEST_WEBHOOK_SECRET", Redacted.value(fresh))
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
    }))

  it.effect("fails make with its ConfigError", () =>
    Effect.gen(function*() {
      const verifier = SignatureVerifier.make({ secrets: Config.redacted("SECRET") })
      const error = yield* Effect.flip(Effect.withConfigProvider(verifier, ConfigProvider.fromMap(new Map())))
      assertTrue("_op" in error && error._op === "MissingData")
    }))

  it.effect("is read again from the provider with which the verifier was made", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const secrets = new Map([["SECRET", Redacted.value(old)]])
      const verifier = yield* Effect.withConfigProvider(
        SignatureVerifier.make({ secrets: Config.redacted("SECRET") }),
        providerOf(secrets)
      )
      secrets.set("SECRET", Redacted.value(fresh))
      strictEqual(yield* outcomeOf(verifier, fresh), 0)
    }))

  it.effect("layerConfig reads one secret or several, once", () =>
    Effect.gen(function*() {
      yield* startOfTest
      const env = Layer.setConfigProvider(
        ConfigProvider.fromMap(
          new Map([["SECRET", Redacted.value(old)], ["SECRETS", `${Redacted.value(fresh)},${Redacted.value(old)}`]])
        )
      )
      const one = SignatureVerifier.layerConfig({ secrets: Config.redacted("SECRET") })
      const several = SignatureVerifier.layerConfig({ secrets: Config.array(Config.redacted(), "SECRETS") })
      const outcomes = (layer: typeof one) =>
        Effect.provide(
          Effect.flatMap(
            SignatureVerifier.SignatureVerifier,
            (verifier) => Effect.all([outcomeOf(verifier, old), outcomeOf(verifier, fresh)])
          ),
          Layer.provide(layer, env)
        )
      deepStrictEqual(yield* outcomes(one), [0, "SignatureError"])
      deepStrictEqual(yield* outcomes(several), [1, 0])
    }))
})
