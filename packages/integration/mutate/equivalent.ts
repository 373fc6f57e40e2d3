/** Mutants that no test can notice, each with the reason. They are neither tried nor counted. */

export interface Equivalent {
  /** Below `packages/hookrail/src`. */
  readonly module: string
  /** The whole line, trimmed. */
  readonly code: string
  /** As the command prints it. */
  readonly change: string
  readonly reason: string
}

const of = (module: string, entries: ReadonlyArray<readonly [code: string, change: string, reason: string]>) =>
  entries.map(([code, change, reason]): Equivalent => ({ module, code, change, reason }))

const shortcut = "only a shortcut: the longer way gives the same"

const setBefore = "it is set before anything reads it"

const noEra = "either is none of the eras, which count from 0"

const largeStack =
  "only with a larger stack than is usual does anything get that deep; refusals.test.ts tries it in a worker"

export const equivalents: ReadonlyArray<Equivalent> = [
  ...of("call/classify.ts", [
    [
      "response.body === \"\" ? undefined : problemBody(response.body, (text) => redact(text, apiKey))",
      "response.body === \"\" → false",
      shortcut
    ],
    [
      "response.body === \"\" ? undefined : problemBody(response.body, (text) => redact(text, apiKey))",
      "\"\" → \"mutant\"",
      shortcut
    ],
    ["status >= 300 && status < 400", "< → <=", "400 has an error of its own"],
    ["status >= 300 && status < 400", "400 → 401", "400 has an error of its own"],
    [
      "export const worse = (a: Outcome, b: Outcome): Outcome => severity[b] > severity[a] ? b : a",
      "> → >=",
      "the same outcome again"
    ],
    [
      "const severity: Record<Outcome, number> = { \"not-sent\": 0, refused: 1, unknown: 2 }",
      "2 → 3",
      "only the order counts"
    ]
  ]),
  ...of("call/calls.ts", [
    [
      "this.deadline = RetryPolicy.isRetryPolicy(retry) ? start + retry.maxElapsed : Infinity",
      "RetryPolicy.isRetryPolicy(retry) → true",
      "NaN is never too late either"
    ]
  ]),
  ...of("gate/gate.ts", [
    ["this.looks = new Lane(\"reads\", settings, reporter)", "\"reads\" → \"\"", "it never has anything to tell"],
    ["lane.enter()", "lane.enter() → false", shortcut],
    ["private era = 0", "0 → 1", setBefore]
  ]),
  ...of("gate/lane.ts", [
    ["timedIn = -1", "1 → 2", noEra],
    ["waiter.timedIn = -1", "1 → 2", noEra],
    ["waiter.timedIn = this.pace.era", "waiter.timedIn = this.pace.era removed", "it only is woken in vain"],
    ["private status = 0", "0 → 1", setBefore],
    ["private wakeAgain = false", "false → true", setBefore],
    [
      "const wait = retryAfter === undefined ? 0 : parseRetryAfter(retryAfter, clock.unsafeCurrentTimeMillis()) ?? 0",
      "retryAfter === undefined → false",
      shortcut
    ]
  ]),
  ...of("gate/pace.ts", [
    ["private windowStart = -Infinity", "-Infinity → Infinity", setBefore],
    ["this.windowStart = -Infinity", "-Infinity → Infinity", "the next look takes it from markedAt"],
    ["this.windowStart = -Infinity", "this.windowStart = -Infinity removed", "the next look takes it from markedAt"],
    ["private countAtMark = 0", "0 → 1", setBefore],
    ["private countAtStart = 0", "0 → 1", setBefore],
    ["private sinceOverload = 0", "0 → 1", "the share it is a part of is 0 then"],
    ["private byChance = false", "false → true", setBefore],
    ["private sampled = 0", "0 → 1", setBefore],
    ["private sampledOverloads = 0", "0 → 1", setBefore],
    ["private shareBefore = 0", "0 → 1", setBefore],
    ["private lenientSince = 0", "0 → 1", "there is no leniency then"],
    ["private isStarting = false", "false → true", setBefore],
    ["since = 0", "0 → 1", setBefore],
    ["private nextStart = 0", "0 → 1", setBefore],
    ["private boundAt = 0", "0 → 1", setBefore]
  ]),
  ...of("signature/kernel.ts", [
    ["const key = crypto.createSecretKey(secret, \"utf8\")", "\"utf8\" → \"\"", "UTF-8 is the default"],
    ["return lower >= 97 && lower <= 102 ? lower - 87 : -999", "999 → 1000", "either is negative enough"]
  ]),
  ...of("wire/bytes.ts", [
    [
      "for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index)",
      "< → <=",
      "an element beyond the end of a Uint8Array is not written"
    ]
  ]),
  ...of("wire/payload.ts", [
    [
      "const utf8 = (text: string): Uint8Array => Buffer === undefined ? encoder.encode(text) : Buffer.from(text, \"utf8\")",
      "\"utf8\" → \"\"",
      "UTF-8 is the default of Buffer.from"
    ],
    [
      "if (prototype !== Object.prototype && prototype !== null) return isJsonInstance(value, depth)",
      "&& → ||",
      "isJsonInstance treats a plain object alike, but more slowly"
    ],
    ["case \"boolean\":", "\"boolean\" → \"\"", "what is no object ends with the same result below"],
    [
      "if (text.length > maxPayloadBytes) return tooLarge(encoder.encode(text).length)",
      "text.length > maxPayloadBytes → false",
      shortcut
    ],
    ["const maxDepth = 9_900", "9_900 → 9901", largeStack],
    ["if (depth > maxDepth) return false", "false → true", largeStack],
    ["if (!isJson(value[i], depth + 1)) return false", "+ → -", largeStack],
    ["if (!isJson(value[i], depth + 1)) return false", "1 → 2", largeStack],
    ["if (member !== undefined && !isJson(member, depth + 1)) return false", "+ → -", largeStack],
    ["if (member !== undefined && !isJson(member, depth + 1)) return false", "1 → 2", largeStack],
    ["return isJson(payload, 1)", "1 → 2", largeStack],
    [
      "if (ancestors.size >= maxDepth) throw new Fault(\"$\", `it is nested deeper than ${maxDepth} levels`)",
      "ancestors.size >= maxDepth → false",
      largeStack
    ],
    [
      "if (ancestors.size >= maxDepth) throw new Fault(\"$\", `it is nested deeper than ${maxDepth} levels`)",
      ">= → >",
      largeStack
    ],
    [
      "if (ancestors.size >= maxDepth) throw new Fault(\"$\", `it is nested deeper than ${maxDepth} levels`)",
      "\"$\" → \"\"",
      largeStack
    ]
  ]),
  ...of("wire/retryAfter.ts", [
    ["const monthIndex = months.indexOf(month ?? \"\")", "\"\" → \"mutant\"", "a date that matches has a month"],
    [
      "return date.getUTCDate() === d && date.getUTCMonth() === monthIndex ? time : undefined",
      "&& → ||",
      "a day beyond the end of its month changes both"
    ]
  ])
]
