/** Looks at the server, the keys and a receiver, and says what to do about each thing that is wrong. */
import { signWebhook } from "@hookrail/emulator"
import { addressAllowed, strictUrlPolicy, urlAllowed } from "@hookrail/emulator/inner/base/urlPolicy"
import { lookup } from "node:dns/promises"
import type { Context, Run } from "../base/context.js"
import { exitCodes, Failure, usage } from "../base/exit.js"
import { type Answer, NoAnswer, problemOf, request } from "../base/http.js"
import { oneLine } from "../base/output.js"

export interface DoctorInput {
  readonly url: string | undefined
  readonly topic: string
}

type Verdict = "ok" | "warning" | "failed" | "skipped"

/** One thing that was looked at. */
export interface Finding {
  readonly check: string
  readonly status: Verdict
  readonly message: string
  readonly advice?: string
}

type Report = (check: string, status: Verdict, message: string, advice?: string) => void

const isAway = (error: unknown): error is NoAnswer => error instanceof NoAnswer

/** In a few words: OpenSSL's are long, and have line ends. */
const reasonOf = ({ message }: NoAnswer): string =>
  /SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? oneLine(message, 120)

/** What to do about a request that was not answered. */
const adviceOf = ({ code, message, url }: NoAnswer, what: string): string => {
  if (code === "ECONNREFUSED") return `nothing listens there: start the ${what}, or check host and port`
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return "the name does not resolve: check it, and the DNS of this machine"
  }
  if (code === "ETIMEDOUT") return "check firewalls and security groups on the way"
  if (code === "CERT_HAS_EXPIRED") return "the certificate has expired: renew it"
  if (/SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/.test(code)) {
    return "its certificate authority is not known here: set NODE_EXTRA_CA_CERTS to its file"
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "the certificate is for another name: use the one that it names"
  if (code === "ERR_INVALID_URL") return "give one such as https://hooks.example.com"
  const isTls = url.startsWith("https:")
  if (isTls && /wrong version number|EPROTO|SSL|ECONNRESET/.test(`${message} ${code}`)) {
    return "it does not speak TLS there: try http://, or the other port"
  }
  if (!isTls && /Parse Error|HPE_|ECONNRESET/.test(`${message} ${code}`)) {
    return "it does not speak HTTP there: try https://, or another port"
  }
  return "check the URL, and what is on the way"
}

const tlsFinding = (name: string, { tls }: Answer, report: Report): void => {
  if (tls === undefined) return
  const days = tls.validTo === undefined ? undefined : Math.floor((tls.validTo.getTime() - Date.now()) / 86_400_000)
  if (days !== undefined && days < 14) {
    report(`${name} TLS`, "warning", `the certificate expires in ${days} days`, "renew it")
  } else {
    report(`${name} TLS`, "ok", `${tls.protocol}, certificate valid${days === undefined ? "" : ` for ${days} days`}`)
  }
}

const toleratedSkewMs = 300_000

/** The header has whole seconds, and the answer took a while: less than that cannot be told. */
const clockFinding = ({ headers, ms }: Answer, report: Report): void => {
  const server = Date.parse(String(headers.date))
  if (Number.isNaN(server)) return report("clock", "skipped", "the server sends no Date header")
  const skew = Date.now() - server
  const seconds = Math.round(skew / 1000)
  const words = `this machine is ${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"} the server`
  if (Math.abs(skew) > toleratedSkewMs - 1_000 - ms) {
    report("clock", "failed", words, "signatures made there count as too old or too new here: set the clock (NTP)")
  } else if (Math.abs(skew) > 5_000 + ms) {
    report("clock", "warning", words, "receivers tolerate 300 s: set the clock (NTP)")
  } else report("clock", "ok", "within a few seconds of the server's")
}

/** Headers that nothing of Hookrail writes. */
const between = ["via", "x-cache", "cf-ray", "x-amz-cf-id", "x-served-by", "x-envoy-upstream-service-time", "server"]

const proxyVariable = (env: Context["env"]): string | undefined =>
  ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].find((name) => env[name])

const proxyFinding = (health: Answer, unknown: Answer | undefined, env: Context["env"], report: Report): void => {
  const signs = between.filter((name) => health.headers[name] !== undefined)
    .map((name) => `${name}: ${oneLine(String(health.headers[name]), 40)}`)
  const variable = proxyVariable(env)
  if (unknown !== undefined && !(unknown.status === 404 && unknown.body.startsWith("404 page not found"))) {
    report(
      "proxy",
      "warning",
      `an unknown path is answered with ${unknown.status}, which is not Hookrail's answer`,
      "a proxy answers for the server: check that it passes /v1/ on unchanged, with its status codes"
    )
  } else if (signs.length > 0) {
    report("proxy", "ok", `there is something in between (${signs.join(", ")}), and it passes answers on`)
  } else report("proxy", "ok", "nothing in between that shows")
  if (variable !== undefined) {
    report(
      "proxy",
      "warning",
      `${variable} is set: clients use that proxy, and this check does not`,
      "set NO_PROXY if they should not"
    )
  }
}

/**
 * Which generation a server is of, by the routes that it has. Routes are looked up before tokens are. R3 added no route, and
 * shows in nothing but the refusal of an event.
 */
const generations = [
  ["/v1/whoami", "R2 or newer; if keys are limited to topics, which is R3, only a refused event tells"],
  ["/v1/admin-tokens", "R1: scoped admin tokens, no whoami"],
  ["/v1/ordered-keys", "P2: ordering keys, no scoped admin tokens"],
  ["/v1/dlq", "P1: administration, no ordering keys"]
] as const

/** No key holds anything else, and nothing else can be sent. */
const isSendable = (key: string): boolean => /^[!-~]+$/.test(key)

/** Whether the server is ready; `undefined` if it cannot be asked anything. */
const checkServer = async (baseUrl: string, context: Context, report: Report): Promise<boolean | undefined> => {
  const { signal } = context
  let health: Answer
  try {
    health = await request(`${baseUrl}/healthz`, { signal })
  } catch (error) {
    if (!isAway(error)) throw error
    const variable = proxyVariable(context.env)
    const proxy = variable === undefined ? "" : `; ${variable} is set, and this check goes without that proxy`
    report("server", "failed", `${baseUrl} does not answer (${reasonOf(error)})`, adviceOf(error, "server") + proxy)
    return undefined
  }
  if (health.status >= 300 && health.status < 400) {
    report(
      "server",
      "failed",
      `${baseUrl} redirects to ${oneLine(String(health.headers.location), 100)}`,
      "clients never follow: use the URL that it leads to, without /healthz"
    )
    return undefined
  }
  if (health.status !== 200) {
    report(
      "server",
      "failed",
      `${baseUrl}/healthz answers ${health.status}`,
      "check the base URL: it has no path, and no /v1"
    )
    return undefined
  }
  report("server", "ok", `${baseUrl} answers in ${Math.round(health.ms)} ms`)
  tlsFinding("server", health, report)
  const ready = await request(`${baseUrl}/readyz`, { signal })
  if (ready.status !== 200) {
    report(
      "ready",
      "failed",
      `not ready: ${problemOf(ready)?.detail ?? ready.status}`,
      "the server's database is away: bring it back; keys look wrong until then"
    )
  } else if (ready.headers["x-hookrail-redis"] === "degraded") {
    report("ready", "warning", "ready, but without Redis", "events are delivered up to 30 s later: bring Redis back")
  } else report("ready", "ok", "ready, with database and Redis")
  clockFinding(health, report)
  proxyFinding(
    health,
    await request(`${baseUrl}/v1/no-such-path`, { signal }).catch(() => undefined),
    context.env,
    report
  )
  return ready.status === 200
}

/** An id that no event has. Reading it tells whether a key is good, and stores nothing. */
const noEvent = "00000000000000000000000000"

/** A key or token that cannot be in a header. */
const reportUnsendable = (report: Report, check: "key" | "admin", what: string, source: string): void =>
  report(
    check,
    "failed",
    `the ${what} (from ${source}) has a blank, a line break or another character that no ${what} has`,
    "copy it again, and check its end"
  )

const checkKey = async (
  baseUrl: string,
  isReady: boolean | undefined,
  { settings, signal }: Context,
  report: Report
): Promise<void> => {
  const producer = await settings.producer().catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error
    report("key", "failed", error.message)
    return undefined
  })
  if (producer === undefined) return
  if (!isSendable(producer.apiKey)) return reportUnsendable(report, "key", "key", producer.source)
  if (isReady === undefined) return report("key", "skipped", "the server cannot be asked")
  const headers = { authorization: `Bearer ${producer.apiKey}` }
  const answer = await request(`${baseUrl}/v1/events/${noEvent}`, { headers, signal })
  const problem = problemOf(answer)
  if (answer.status === 404 && problem !== undefined) {
    report("key", "ok", `the server accepts the key (from ${producer.source})`)
    // Older servers answer every failure of a read with 404.
    const failing = await request(`${baseUrl}/v1/events/%00`, { headers, signal })
    if (failing.status === 404) {
      report("generation", "warning", "an old server: it answers 404 for events that it fails to load", "update it")
    }
  } else if (answer.status === 401 && !isReady) {
    report("key", "skipped", "the server refuses every key while its database is away")
  } else if (answer.status === 401) {
    report(
      "key",
      "failed",
      `the server does not know the key (from ${producer.source})`,
      /^hkadm_/.test(producer.apiKey)
        ? "it is an admin token: a producer key begins with hk_"
        : /^whsec_/.test(producer.apiKey)
        ? "it is the secret of an endpoint: a producer key begins with hk_"
        : "check that it is of this server, complete and not revoked"
    )
  } else {
    report(
      "key",
      "failed",
      `the question for an event is answered with ${answer.status}`,
      "a proxy answers for the server, or it is not Hookrail"
    )
  }
}

const checkAdmin = async ({ settings, signal }: Context, report: Report): Promise<void> => {
  const url = await settings.adminUrl()
  if (url === undefined) {
    return report(
      "admin",
      "skipped",
      "no URL of the admin API",
      "set HOOKRAIL_ADMIN_URL and HOOKRAIL_ADMIN_TOKEN to check it"
    )
  }
  try {
    for (const [path, generation] of generations) {
      const { status } = await request(`${url}${path}`, { signal })
      if (status === 404) continue
      report(
        "generation",
        path === "/v1/whoami" ? "ok" : "warning",
        `the server is of generation ${generation}`,
        ...(path === "/v1/whoami" ? [] : ["update it"])
      )
      break
    }
    const admin = await settings.admin()
    if (!isSendable(admin.token)) return reportUnsendable(report, "admin", "token", admin.source)
    const answer = await request(`${url}/v1/whoami`, { headers: { authorization: `Bearer ${admin.token}` }, signal })
    if (answer.status === 200) {
      const { role } = JSON.parse(answer.body) as { readonly role: string }
      report("admin", "ok", `${url} accepts the token (from ${admin.source}), whose role is ${oneLine(role, 20)}`)
    } else if (answer.status === 401) {
      report(
        "admin",
        "failed",
        `${url} does not know the token (from ${admin.source})`,
        "check that it begins with hkadm_ and is not revoked"
      )
    } else report("admin", "warning", `${url}/v1/whoami answers ${answer.status}`)
  } catch (error) {
    if (isAway(error)) {
      report("admin", "failed", `${url} does not answer (${reasonOf(error)})`, adviceOf(error, "admin API"))
    } else if (error instanceof Failure) report("admin", "failed", error.message)
    else throw error
  }
}

/** Whether the server would deliver there (protocol section 5.4). */
const checkPolicy = async (url: string, isLocalServer: boolean, report: Report): Promise<void> => {
  const { hostname, protocol, username } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, "")
  if (username !== "") {
    return report(
      "policy",
      "failed",
      "the URL has a user name",
      "servers refuse it: use a path that nobody guesses, and the signature"
    )
  }
  const addresses = await lookup(host, { all: true }).catch(() => [])
  const isPrivate = !urlAllowed(strictUrlPolicy, `https://${hostname}/`) ||
    addresses.some(({ address }) => !addressAllowed(strictUrlPolicy, address))
  const reasons = [
    ...(protocol === "https:" ? [] : ["it is not https"]),
    ...(isPrivate ? ["it leads to a private address"] : [])
  ]
  if (addresses.length === 0) {
    report("policy", "warning", `${host} does not resolve here`, "it has to where the server runs")
  } else if (reasons.length === 0) report("policy", "ok", "a server with default settings delivers there")
  else if (isLocalServer) report("policy", "ok", `${reasons.join(" and ")}, which a server on this machine allows`)
  else {
    report(
      "policy",
      "warning",
      reasons.join(" and "),
      "a server refuses it (422) without HOOKRAIL_ALLOW_HTTP and HOOKRAIL_ALLOW_CIDRS: use https and a public address"
    )
  }
}

/** Whether a receiver answers in time (protocol section 4.4). */
export const timeFinding = ({ ms }: Pick<Answer, "ms">, report: Report): void => {
  const words = `it took ${(ms / 1000).toFixed(1)} s to answer`
  if (ms > 10_000) {
    report("time", "failed", words, "the server gives up after 10 s: answer first, and do long work afterwards")
  } else if (ms > 3_000) report("time", "warning", words, "the server gives up after 10 s")
  else report("time", "ok", `it answers in ${Math.round(ms)} ms`)
}

const payload = { doctor: true }

const checkReceiver = async (
  url: string,
  topic: string,
  { settings, signal }: Context,
  report: Report
): Promise<void> => {
  const post = (secret: string, signedAt = new Date(), change = "") => {
    const { body, headers } = signWebhook({ secret, topic, payload, signedAt })
    const bytes = Buffer.from(body + change)
    return request(url, {
      method: "POST",
      headers: { ...headers, "content-length": String(bytes.length) },
      body: bytes,
      timeoutMs: 15_000,
      signal
    })
  }
  let forged: Answer
  try {
    forged = await post("whsec_a_secret_that_no_receiver_can_have")
  } catch (error) {
    if (!isAway(error)) throw error
    return report("receiver", "failed", `${url} does not answer (${reasonOf(error)})`, adviceOf(error, "receiver"))
  }
  tlsFinding("receiver", forged, report)
  if (forged.status >= 300 && forged.status < 400) {
    return report(
      "receiver",
      "failed",
      `it redirects (${forged.status})`,
      "redirects are never followed: give the URL that it leads to"
    )
  }
  if (forged.status >= 200 && forged.status < 300) {
    report(
      "forgery",
      "failed",
      `it accepts a forged signature (${forged.status})`,
      "verify every webhook before doing anything: see @hookrail/promise/webhooks"
    )
  } else report("forgery", "ok", `it refuses a forged signature (${forged.status})`)
  if (forged.status === 404 || forged.status === 405) {
    report("receiver", "warning", `it answers ${forged.status}`, "check the path, and that it takes POST")
  }
  const [secret] = await settings.secrets()
  if (secret === undefined) {
    return report(
      "signature",
      "skipped",
      "no secret to sign with",
      "set HOOKRAIL_WEBHOOK_SECRET to check that it accepts genuine webhooks"
    )
  }
  const genuine = await post(secret)
  const isAccepted = genuine.status >= 200 && genuine.status < 300
  if (isAccepted) report("signature", "ok", `it accepts a genuine webhook (${genuine.status})`)
  else if (genuine.status === forged.status) {
    report(
      "signature",
      "failed",
      `it refuses a genuine webhook as it refuses a forged one (${genuine.status})`,
      "give it the same secret, whsec_ included, and let it verify the raw body; if it answers so to unknown topics, give one that it knows by --topic"
    )
  } else report("signature", "ok", `it verifies, and answers ${genuine.status} to the topic ${oneLine(topic, 80)}`)
  timeFinding(genuine, report)
  if (!isAccepted || forged.status === genuine.status) return
  const old = await post(secret, new Date(Date.now() - 3_600_000))
  if (old.status >= 200 && old.status < 300) {
    report(
      "age",
      "warning",
      "it accepts a webhook that was signed an hour ago",
      "refuse those older than 5 minutes: somebody may send it again"
    )
  } else report("age", "ok", "it refuses a webhook that was signed an hour ago")
  const changed = await post(secret, new Date(), " ")
  if (changed.status >= 200 && changed.status < 300) {
    report(
      "body",
      "failed",
      "it accepts a body that was changed after it was signed",
      "verify the raw body, before any JSON parser"
    )
  } else report("body", "ok", "it refuses a body that was changed")
}

const isLocal = (url: string): boolean => /^https?:\/\/(localhost|127\.|\[::1\])/.test(url)

/** All findings, for the command and for the tool of coding agents. */
export const examine = async (
  input: DoctorInput,
  context: Context,
  onFinding: (finding: Finding) => void
): Promise<void> => {
  const report: Report = (check, status, message, advice) =>
    onFinding({ check, status, message, ...(advice === undefined ? {} : { advice }) })
  if (input.url !== undefined && !(URL.canParse(input.url) && /^https?:/.test(input.url))) {
    throw usage(
      `the URL of the receiver must be like https://example.com/webhooks, but is ${JSON.stringify(input.url)}`
    )
  }
  const baseUrl = await context.settings.baseUrl()
  try {
    const isReady = await checkServer(baseUrl, context, report)
    await checkKey(baseUrl, isReady, context, report)
    await checkAdmin(context, report)
  } catch (error) {
    context.signal.throwIfAborted()
    if (!isAway(error)) throw error
    report("server", "failed", `the connection broke (${reasonOf(error)})`, adviceOf(error, "server"))
  }
  if (input.url === undefined) return
  await checkPolicy(input.url, isLocal(baseUrl), report)
  try {
    await checkReceiver(input.url, input.topic, context, report)
  } catch (error) {
    context.signal.throwIfAborted()
    if (!isAway(error)) throw error
    report("receiver", "failed", `the connection broke (${reasonOf(error)})`, adviceOf(error, "receiver"))
  }
}

const words = {
  ok: ["green", "ok"],
  warning: ["yellow", "warn"],
  failed: ["red", "fail"],
  skipped: ["dim", "skip"]
} as const

export const doctor: Run<DoctorInput> = async (input, context) => {
  const { out } = context
  const failed: Array<string> = []
  await examine(input, context, (finding) => {
    const { advice, check, message, status } = finding
    if (status === "failed") failed.push(check)
    out.data(finding, () => {
      const [style, word] = words[status]
      const line = `${out.paint(style, word.padEnd(4))}  ${check.padEnd(12)}  ${oneLine(message)}`
      return advice === undefined ? line : `${line}\n${" ".repeat(20)}${out.paint("dim", advice)}`
    })
  })
  if (failed.length === 0) return exitCodes.ok
  throw new Failure(exitCodes.failed, `something is wrong: ${[...new Set(failed)].join(", ")}`, { failed })
}
