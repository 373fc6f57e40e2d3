/** Translates a module from Effect 3 to Effect 4: names, and the few idioms that differ everywhere in the same way. */
import { members, modules } from "./renames.mjs"

const rules = [
  ...Object.entries(members).map(([module, names]) => [
    new RegExp(`\\b${module}\\.(${Object.keys(names).join("|")})\\b`, "g"),
    (_, name) => `${module}.${names[name]}`
  ]),
  [/(["'`])@(effect\/sql(?:\/\w+)?)\1/g, "$1$2$1"],
  [
    /(["'])(@effect\/platform(?:\/\w+)?|effect\/Either)\1/g,
    (all, quote, name) => `${quote}${modules[name] ?? name}${quote}`
  ],
  // class X extends Context.Tag("id")<X, Shape>() {}
  [/Context\.Tag\(("[^"]*")\)<([^]*?)>\(\)/g, "Context.Service<$2>()($1)"],
  [/Context\.Tag</g, "Context.Key<"],
  // class X extends Context.Reference<X>()("id", { … }) {}
  [
    /export class (\w+) extends Context\.Reference<\1>\(\)\(("[^"]*"), \{\n {2}defaultValue: ([^]*?)\n\}\) \{\}/g,
    "export const $1: Context.Reference<Service> = Context.Reference($2, {\n  defaultValue: $3\n})"
  ],
  // A runtime is a context.
  [/\bRuntime\.Runtime</g, "Context.Context<"],
  [/\bRuntime\.(run\w+)\((\w+(?:\.\w+)*), /g, "Effect.$1With($2)("],
  [/\bRuntime\.(run\w+)\(/g, "Effect.$1With("],
  // A level is its name.
  [/\bLogLevel\.(Debug|Error|Info|Warning)\b/g, (_, level) => `"${level === "Warning" ? "Warn" : level}"`],
  // Methods of a clock. Where its nanoseconds stand for a date, as in spans, it is an edit.
  [/\.unsafeCurrentTimeMillis\(/g, ".currentTimeMillisUnsafe("],
  [/\.unsafeCurrentTimeNanos\(/g, ".monotonicTimeNanosUnsafe("],
  [/\bEither\.isEither\(/g, "Result.isResult("],
  [/\bEither\.Either</g, "Result.Result<"],
  [/\bEither\./g, "Result."],
  [/\bonLeft:/g, "onFailure:"],
  [/\bonRight:/g, "onSuccess:"],
  [/\bConfigError\.ConfigError\b/g, "Config.ConfigError"],
  [/\bParseResult\.(en|de)codeUnknown\(/g, "SchemaParser.$1codeUnknownEffect("],
  [/\bParseResult\.ParseIssue\b/g, "SchemaIssue.Issue"],
  [/\bLogLevel\.LogLevel\b/g, "LogLevel.Severity"],
  [/\bSchema\.Schema\.All\b/g, "Schema.Top"],
  [/\bSchema\.Schema</g, "Schema.Codec<"],
  [/\boverride commit\(\)/g, "override asEffect()"],
  [/\.unsafeInterruptAsFork\(FiberId\.none\)/g, ".interruptUnsafe()"],
  [/Exit\.interrupt\(FiberId\.none\)/g, "Exit.interrupt()"],
  [/Deferred\.makeUnsafe<([^(]*)>\(FiberId\.none\)/g, "Deferred.makeUnsafe<$1>()"],
  // A clock that a test makes up: its nanoseconds are those that count for delays.
  [/\bunsafeCurrentTimeMillis: /g, "currentTimeMillisUnsafe: "],
  [/\bunsafeCurrentTimeNanos: /g, "monotonicTimeNanosUnsafe: "],
  [/\bstrictEqual\((.*)\.unsafePoll\(\), null\)/g, "strictEqual($1.pollUnsafe(), undefined)"],
  [/\.unsafePoll\(\)/g, ".pollUnsafe()"],
  [/\bEffect\.yieldNow\(\)/g, "Effect.yieldNow"],
  [/\bEffect\.dieMessage\(("[^"]*")\)/g, "Effect.die(new Error($1))"],
  [/\bEffect\.clock\b/g, "Clock.clockWith(Effect.succeed)"],
  [/\bEffect\.clockWith\(/g, "Clock.clockWith("],
  // Services of the runtime are references.
  [/\bEffect\.withClock\((\w+)\)/g, "Effect.provideService(Clock.Clock, $1)"],
  [/\bEffect\.withRandom\(Random\.make\(("?\w+"?)\)\)/g, "Random.withSeed($1)"],
  [
    /\bEffect\.withRandom\(Random\.fixed\(\[([\d.]+)\]\)\)/g,
    "Effect.provideService(Random.Random, { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => $1 })"
  ],
  [/\bRandom\.nextRange\b/g, "Random.nextBetween"],
  [/\bConfigProvider\.fromUnknown\(new Map\(\)\)/g, "ConfigProvider.fromUnknown({})"],
  [/\bConfigProvider\.fromUnknown\(new Map\(Object\.entries\((\w+)\)\)\)/g, "ConfigProvider.fromUnknown($1)"],
  [/\bConfigProvider\.fromUnknown\(new Map\((\w+)\)\)/g, "ConfigProvider.fromUnknown(Object.fromEntries($1))"],
  [/\bLayer\.setConfigProvider\(/g, "ConfigProvider.layer("],
  [
    /\bEffect\.withConfigProvider\((ConfigProvider\.\w+\((?:[^()]|\([^()]*\))*\))\)/g,
    "Effect.provideService(ConfigProvider.ConfigProvider, $1)"
  ],
  [
    /\bEffect\.withConfigProvider\((\w[^()]*(?:\([^()]*\))?), /g,
    "Effect.provideService($1, ConfigProvider.ConfigProvider, "
  ],
  [/\bLogger\.replace\(\s*Logger\.defaultLogger,\s*(\w+)\s*\)/g, "Logger.layer([$1])"],
  [/\bLogger\.remove\(Logger\.defaultLogger\)/g, "Logger.layer([])"],
  [/\bLogger\.add\((\w+)\)/g, "Logger.layer([$1], { mergeWithExisting: true })"],
  [
    /\bLogger\.withMinimumLogLevel\(LogLevel\.(\w+)\)/g,
    "Effect.provideService(References.MinimumLogLevel, \"$1\")"
  ],
  [/\blogLevel\.label\b/g, "logLevel.toUpperCase()"],
  [/\bHashMap\.unsafeGet\(annotations, /g, "HashMap.getUnsafe(annotations, "],
  [/\bCause\.isEmpty\((\w+)\)/g, "$1.reasons.length === 0"],
  [/\bCause\.pretty\(([\w.]+), \{ renderErrorCause: true \}\)/g, "Cause.pretty($1)"],
  [/\bMetric\.tagged\((\w+), "(\w+)", (\w+)\)/g, "Metric.withAttributes($1, { $2: $3 })"],
  [
    /\bEffect\.withConfigProvider\(\n(\s*)([^\n]*),\n\s*(ConfigProvider\.[^\n]*)\n/g,
    "Effect.provideService(\n$1$2,\n$1ConfigProvider.ConfigProvider,\n$1$3\n"
  ],
  // Tests have a scope in any case.
  [/\bit\.scoped\(/g, "it.effect("],
  [/\bit\.scopedLive\(/g, "it.live("],
  [/(?<=\bconst \w+ = yield\* )Fiber\.interrupt\((\w+)\)/g, "Effect.andThen(Fiber.interrupt($1), Fiber.await($1))"],
  [/\bFiber\.join\(Fiber\.all\(((?:[^()]|\([^()]*\))*)\)\)/g, "Fiber.joinAll($1)"],
  [/\bResult\.isLeft\((\w+)\)(.*?)\b\1\.left\b/g, "Result.isFailure($1)$2$1.failure"],
  [/\bResult\.isLeft\(/g, "Result.isFailure("],
  [/\bResult\.isRight\(/g, "Result.isSuccess("],
  [/\bResult\.left\(/g, "Result.fail("],
  [/\bResult\.right\(/g, "Result.succeed("]
]

/** What modules of the barrel are called elsewhere. */
const outside = {
  FastCheck: "import * as FastCheck from \"fast-check\"",
  TestClock: "import { TestClock } from \"effect/testing\""
}

/** Modules that a translation may bring in. */
const wanted = [
  "Cause",
  "Clock",
  "Config",
  "Context",
  "Effect",
  "Exit",
  "Random",
  "References",
  "Result",
  "Scheduler",
  "Semaphore"
]

/** Removes modules that are no longer used, and imports those that are used now. */
const withImports = (text) => {
  const body = text.replace(/^import [^]*? from .*$/gm, "").replace(/\/\*\*[^]*?\*\//g, "")
  const isUsed = (name) => new RegExp(`(?<![\\w."'])${name}\\b`).test(body)
  const isValue = (name) => new RegExp(`(?<![\\w."'])${name}\\.[a-z]`).test(body)
  const known = new Set()
  const added = []
  let result = text.replace(/^import (type )?\* as (\w+) from "(effect\/[\w/-]+)"\n/gm, (line, _, name, module) => {
    if (!isUsed(name)) return ""
    known.add(name)
    const own = module.slice(module.lastIndexOf("/") + 1)
    return own in outside ? outside[own].replace(`* as ${own}`, `* as ${name}`) + "\n" : line
  })
  let barrel = false
  result = result.replace(/^import (type )?\{([^}]*)\} from "effect"\n/m, (_, type, list) => {
    barrel = true
    const names = list.split(",").map((it) => it.trim()).filter((it) => it !== "")
      .map((it) => isValue(it.replace(/^type /, "")) ? it.replace(/^type /, "") : it)
      .map((it) => it.replace(/^Either\b/, "Result")).filter((it) =>
        isUsed(it.replace(/^type /, "").replace(/.* as /, ""))
      )
    for (const name of names) {
      const plain = name.replace(/^type /, "")
      known.add(plain.replace(/.* as /, ""))
      const module = plain.replace(/ as .*/, "")
      if (module in outside) {
        added.push(outside[module].replace(`* as ${module}`, `* as ${plain.replace(/.* as /, "")}`))
      }
    }
    const kept = names.filter((name) => !(name.replace(/^type /, "").replace(/ as .*/, "") in outside))
    const all = [
      ...kept,
      ...wanted.filter((name) => !known.has(name) && new RegExp(`(?<![\\w."'])${name}\\.\\w`).test(body)).map(
        (name) => {
          known.add(name)
          return name
        }
      )
    ]
    return all.length === 0 ? "" : `import ${type ?? ""}{ ${all.join(", ")} } from "effect"\n`
  })
  for (const name of wanted) {
    if (barrel || known.has(name) || !new RegExp(`(?<![\\w."'])${name}\\.\\w`).test(body)) continue
    added.push(`import ${isValue(name) ? "" : "type "}* as ${name} from "effect/${name}"`)
  }
  return added.length === 0 ? result : result.replace(/^import /m, `${added.join("\n")}\nimport `)
}

export const translate = (text) => {
  const translated = rules.reduce((text, [pattern, by]) => text.replace(pattern, by), text)
  return translated === text && !/\bFastCheck\b|\bTestClock\b/.test(text) ? text : withImports(translated)
}

/** The same for a module of a package for both lines. */
export const translateWithin = (text) =>
  translate(text)
    .replace(/^((?:import|export|\}) .*["'])(effect|hookrail)\//gm, "$1$2-4/")
    .replaceAll("/effect-3\"", "/effect\"")
    .replaceAll("./line-3/", "./line-4/")
