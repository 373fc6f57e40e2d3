/** What has another name in Effect 4, and nothing but the name. */

/** Modules: those of `@effect/platform` moved into `effect`. */
/** Modules of the barrel and their members are in `members`. */
export const modules = {
  "@effect/platform": "effect/http",
  "@effect/platform/FetchHttpClient": "effect/http/FetchHttpClient",
  "@effect/platform/Headers": "effect/http/Headers",
  "@effect/platform/HttpBody": "effect/http/HttpBody",
  "@effect/platform/HttpClient": "effect/http/HttpClient",
  "@effect/platform/HttpClientError": "effect/http/HttpClientError",
  "@effect/platform/HttpClientRequest": "effect/http/HttpClientRequest",
  "@effect/platform/HttpClientResponse": "effect/http/HttpClientResponse",
  "@effect/platform/HttpServerRequest": "effect/http/HttpServerRequest",
  "@effect/platform/HttpServerResponse": "effect/http/HttpServerResponse",
  "effect/Either": "effect/Result"
}

/** Members of modules, by the name of the module. */
export const members = {
  Cause: {
    failureOption: "findErrorOption",
    isInterruptedOnly: "hasInterruptsOnly",
    isInterrupted: "hasInterrupts",
    isDie: "hasDies",
    isFailure: "hasFails",
    isFailType: "isFailReason"
  },
  Chunk: { unsafeFromArray: "fromArrayUnsafe" },
  Deferred: { unsafeDone: "doneUnsafe", unsafeMake: "makeUnsafe" },
  Duration: { DurationInput: "Input", decode: "fromInputUnsafe", decodeUnknown: "fromInput" },
  Effect: {
    async: "callback",
    catchAll: "catch",
    catchAllCause: "catchCause",
    catchAllDefect: "catchDefect",
    either: "result",
    fork: "forkChild",
    forkDaemon: "forkDetach",
    mapInputContext: "updateContext",
    tapErrorCause: "tapCause",
    withFiberRuntime: "withFiber",
    zipRight: "andThen",
    runtime: "context"
  },
  Config: {
    boolean: "Boolean",
    duration: "Duration",
    integer: "Int",
    nonEmptyString: "NonEmptyString",
    number: "Number",
    port: "Port",
    redacted: "Redacted",
    string: "String",
    url: "URL"
  },
  ConfigProvider: { fromMap: "fromUnknown" },
  Exit: { isInterrupted: "hasInterrupts", zipRight: "andThen" },
  Fiber: { RuntimeFiber: "Fiber" },
  Layer: { scoped: "effect", scopedDiscard: "effectDiscard", unwrapEffect: "unwrap", unwrapScoped: "unwrap" },
  DateTime: { unsafeMake: "makeUnsafe" },
  HashMap: { unsafeGet: "getUnsafe" },
  Schema: { Date: "DateFromString", DateFromSelf: "Date" },
  Scope: { extend: "provide" },
  NodeHttpClient: { layer: "layerNodeHttp" },
  Stream: { provideSomeLayer: "provide", unwrapScoped: "unwrap" }
}
