/** Administration of a server: endpoints, subscriptions, deliveries, dead letters and tokens. */
import type { HookrailAdmin } from "@hookrail/promise/admin"
import { Reason, topicPattern } from "hookrail/options/check"
import { take, timeOf, withAdmin } from "../base/admin.js"
import type { Context, Run } from "../base/context.js"
import { exitCodes, Failure, usage } from "../base/exit.js"
import { oneLine, paintState } from "../base/output.js"

const none = "none"

/** The members of an object as lines. */
const fields = (value: object): string =>
  Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) =>
      `${name.padEnd(16)}  ${
        field instanceof Date
          ? field.toISOString()
          : typeof field === "object"
          ? JSON.stringify(field)
          : oneLine(String(field))
      }`
    )
    .join("\n")

const isoOf = (time: Date | undefined): string | undefined => time?.toISOString()

/** A command that reads or changes one thing, and shows the result. */
const simple =
  <Input>(use: (admin: HookrailAdmin, input: Input, context: Context) => Promise<void>): Run<Input> =>
  (input, context) => withAdmin(context, (admin) => use(admin, input, context))

export const whoami = simple<{}>(async (admin, _, { out, signal }) => {
  const { role } = await admin.whoami({ signal })
  out.data({ role }, () => role)
})

// Endpoints -----------------------------------------------------------------------------------------------------------

interface Limited {
  readonly limit: number
}

export const listEndpoints = simple<Limited & { readonly deleted: boolean }>(
  async (admin, { deleted, limit }, { out, signal }) =>
    out.rows(await take(admin.endpoints.list({ includeDeleted: deleted }, { signal }), limit), {
      id: ({ id }) => id,
      url: ({ url }) => url,
      description: ({ description }) => description,
      created: ({ createdAt }) => isoOf(createdAt),
      ...(deleted ? { deleted: ({ deletedAt }: { readonly deletedAt?: Date | undefined }) => isoOf(deletedAt) } : {})
    }, none)
)

export const showEndpoint = simple<{ readonly id: string }>(async (admin, { id }, { out, signal }) => {
  const endpoint = await admin.endpoints.get(id, { includeDeleted: true, signal })
  out.data(endpoint, () => fields(endpoint))
})

/** What is shown once. */
const onceNote = "the secret is shown once: put it where your receiver finds it as HOOKRAIL_WEBHOOK_SECRET"

export const createEndpoint = simple<{
  readonly url: string
  readonly description: string | undefined
  readonly topic: ReadonlyArray<string>
}>(async (admin, { description, topic, url }, { out, signal }) => {
  // Before the endpoint is made.
  for (const pattern of topic) {
    const wrong = topicPattern(pattern)
    if (wrong instanceof Reason) throw usage(`--topic ${wrong.text}, but is ${JSON.stringify(pattern)}`)
  }
  const { duplicateIds, id, secret } = await admin.endpoints.create({ url, description }, { signal })
  // Told before anything else can fail: there is no other copy.
  const created = { id, url, secret: secret.reveal(), duplicateIds }
  out.data(created, () => fields({ id, url, secret: created.secret }))
  out.note(onceNote)
  if (duplicateIds.length > 0) out.warn(`perhaps made twice: look at ${duplicateIds.join(", ")}`)
  for (const pattern of topic) {
    const subscription = await admin.subscriptions.create({ topic: pattern, endpointId: id }, { signal })
    out.data(
      { subscriptionId: subscription.id, topic: pattern, endpointId: id },
      () => `subscribed to ${oneLine(pattern)}: ${subscription.id}`
    )
  }
})

export const updateEndpoint = simple<{
  readonly id: string
  readonly url: string | undefined
  readonly description: string | undefined
}>(async (admin, { description, id, url }, { out, signal }) => {
  if (url === undefined && description === undefined) {
    throw usage("there is nothing to change: give --url or --description")
  }
  await admin.endpoints.update(id, { url, description }, { signal })
  out.data({ id, updated: true }, () => `${id} is changed`)
})

export const deleteEndpoint = simple<{ readonly id: string }>(async (admin, { id }, { out, signal }) => {
  await admin.endpoints.delete(id, { signal })
  out.data({ id, deleted: true }, () => `${id} is deleted; deliveries that waited are cancelled`)
})

export interface RotateInput {
  readonly id: string
  readonly deploy: string | undefined
  readonly receiverUrl: string | undefined
}

/** Runs a command of the user's shell, which gets the new secret. What it prints goes to the standard error output. */
const runDeploy = async (command: string, secret: string, env: Context["env"]): Promise<void> => {
  const { spawn } = await import("node:child_process")
  const code = await new Promise<number | string>((resolve, reject) => {
    const child = spawn(command, {
      shell: true,
      stdio: ["ignore", process.stderr, process.stderr],
      env: { ...env, HOOKRAIL_NEW_WEBHOOK_SECRET: secret }
    })
    child.once("error", reject)
    child.once("exit", (code, signal) => resolve(code ?? signal ?? 1))
  })
  if (code === 0) return
  throw new Failure(
    exitCodes.failed,
    `the secret is rotated, and --deploy failed (${code}): give the receiver the new secret, which was printed`,
    { deploy: code }
  )
}

export const rotate = simple<RotateInput>(
  async (admin, { deploy, id, receiverUrl }, { env, out, settings, signal }) => {
    const tell = (secret: string): void => {
      out.data({ id, secret }, () => secret)
      out.note(`the server signs with it from now on. ${onceNote}`)
    }
    if (deploy === undefined) {
      if (receiverUrl !== undefined) throw usage("--receiver-url is for --deploy")
      return tell((await admin.endpoints.rotateSecret(id, { signal })).reveal())
    }
    const [current] = await settings.secrets()
    if (current === undefined) {
      throw usage("--deploy needs the secret that the receiver has now: set HOOKRAIL_WEBHOOK_SECRET")
    }
    await admin.rotateWithReceiver(id, {
      current,
      receiverUrl,
      signal,
      deploy: async (secret) => {
        // First: there is no other copy.
        tell(secret.reveal())
        await runDeploy(deploy, secret.reveal(), env)
      }
    })
    out.note("the receiver accepts both secrets: the old one can go")
  }
)

// Subscriptions -------------------------------------------------------------------------------------------------------

export const listSubscriptions = simple<Limited & { readonly endpoint: string | undefined }>(
  async (admin, { endpoint, limit }, { out, signal }) =>
    out.rows(await take(admin.subscriptions.list({ endpointId: endpoint }, { signal }), limit), {
      id: ({ id }) => id,
      topic: ({ topic }) => topic,
      endpoint: ({ endpointId }) => endpointId,
      active: ({ active }) => active ? "yes" : "no",
      ordered: ({ ordered }) => ordered ? "yes" : "no",
      "max attempts": ({ maxAttempts }) => String(maxAttempts),
      "per second": ({ rateLimitRps }) => rateLimitRps === undefined ? undefined : String(rateLimitRps)
    }, none)
)

export const showSubscription = simple<{ readonly id: string }>(async (admin, { id }, { out, signal }) => {
  const subscription = await admin.subscriptions.get(id, { includeDeleted: true, signal })
  out.data(subscription, () => fields(subscription))
})

interface Delivering {
  readonly maxAttempts: number | undefined
  readonly rate: number | undefined
}

export const createSubscription = simple<
  Delivering & { readonly topic: string; readonly endpoint: string; readonly ordered: boolean }
>(async (admin, { endpoint, maxAttempts, ordered, rate, topic }, { out, signal }) => {
  const { duplicateIds, id } = await admin.subscriptions.create(
    { topic, endpointId: endpoint, ordered, maxAttempts, rateLimitRps: rate },
    { signal }
  )
  out.data({ id, topic, endpointId: endpoint, duplicateIds }, () => id)
  if (duplicateIds.length > 0) out.warn(`perhaps made twice: look at ${duplicateIds.join(", ")}`)
})

export const ensureSubscription = simple<
  Delivering & { readonly topic: string; readonly url: string; readonly ordered: boolean }
>(async (admin, { maxAttempts, ordered, rate, topic, url }, { out, signal }) => {
  const { duplicateIds, endpoint, endpointWas, secret, subscription, subscriptionWas } = await admin.ensureSubscription(
    { topic, url, maxAttempts, rateLimitRps: rate, ...(ordered ? { ordered } : {}) },
    { signal }
  )
  const shown = secret?.reveal()
  out.data({ endpoint, endpointWas, subscription, subscriptionWas, secret: shown, duplicateIds }, () =>
    [
      `endpoint      ${endpoint.id}  ${endpointWas}`,
      `subscription  ${subscription.id}  ${subscriptionWas}`,
      ...(shown === undefined ? [] : [`secret        ${shown}`])
    ].join("\n"))
  if (shown !== undefined) out.note(onceNote)
  if (duplicateIds.length > 0) out.warn(`made at the same time as another one, and unused: ${duplicateIds.join(", ")}`)
})

export const updateSubscription = simple<
  Delivering & { readonly id: string; readonly pause: boolean; readonly resume: boolean }
>(async (admin, { id, maxAttempts, pause, rate, resume }, { out, signal }) => {
  if (pause && resume) throw usage("--pause or --resume, not both")
  const active = pause ? false : resume ? true : undefined
  if (active === undefined && maxAttempts === undefined && rate === undefined) {
    throw usage("there is nothing to change: give --pause, --resume, --max-attempts or --rate")
  }
  await admin.subscriptions.update(id, { active, maxAttempts, rateLimitRps: rate }, { signal })
  out.data({ id, updated: true }, () => `${id} is changed`)
})

export const deleteSubscription = simple<{ readonly id: string }>(async (admin, { id }, { out, signal }) => {
  await admin.subscriptions.delete(id, { signal })
  out.data({ id, deleted: true }, () => `${id} is deleted; deliveries that waited are cancelled`)
})

// Deliveries ----------------------------------------------------------------------------------------------------------

type State = NonNullable<NonNullable<Parameters<HookrailAdmin["deliveries"]["list"]>[0]>["state"]>

export interface DeliveriesFilter {
  readonly state: State | undefined
  readonly endpoint: string | undefined
  readonly topic: string | undefined
  readonly event: string | undefined
}

export const listDeliveries = simple<Limited & DeliveriesFilter>(
  async (admin, { endpoint, event, limit, state, topic }, { out, signal }) => {
    const filter = { state, endpointId: endpoint, topic, eventId: event }
    out.rows(await take(admin.deliveries.list(filter, { signal }), limit), {
      delivery: ({ deliveryId }) => deliveryId,
      event: ({ eventId }) => eventId,
      endpoint: ({ endpointId }) => endpointId,
      state: ({ state }) => state,
      "ordering key": ({ orderingKey }) => orderingKey
    }, none)
  }
)

export const showDelivery = simple<{ readonly id: string }>(async (admin, { id }, { out, signal }) => {
  const delivery = await admin.deliveries.get(id, { signal })
  out.data(delivery, () =>
    [
      `${out.paint("bold", delivery.deliveryId)}  ${paintState(delivery.state, out.paint)}`,
      ...(delivery.attemptsTruncated ? ["  older attempts are no longer kept"] : []),
      ...delivery.attempts.map(({ attemptNo, errorClass, httpStatus, latencyMs, status }) =>
        `  attempt ${attemptNo}  ${status}  ${httpStatus ?? errorClass ?? "no answer"}  ${latencyMs} ms`
      )
    ].join("\n"))
})

export const listBlockedKeys = simple<Limited>(async (admin, { limit }, { out, signal }) =>
  out.rows(await take(admin.orderedKeys.list({}, { signal }), limit), {
    "ordering key": ({ orderingKey }) => orderingKey,
    subscription: ({ subscriptionId }) => subscriptionId,
    "blocked by": ({ headDeliveryId }) => headDeliveryId,
    since: ({ blockedSince }) => isoOf(blockedSince),
    waiting: ({ backlogCount }) => String(backlogCount)
  }, "no ordering key is blocked")
)

export const skip = simple<{ readonly id: string }>(async (admin, { id }, { out, signal }) => {
  const skipped = await admin.deliveries.skip(id, { signal })
  const { nextHeadDeliveryId: next } = skipped
  out.data(skipped, () => `${id} is skipped; ${next === undefined ? "nothing waits behind it" : `next is ${next}`}`)
})

export const replay = simple<{ readonly id: ReadonlyArray<string> }>(async (admin, { id }, { out, signal }) => {
  for (const deliveryId of id) {
    const replayed = await admin.deliveries.replay(deliveryId, { signal })
    out.data(replayed, () => `${deliveryId} is delivered again`)
  }
})

// Dead letters --------------------------------------------------------------------------------------------------------

export interface DeadFilter {
  readonly endpoint: string | undefined
  readonly since: string | undefined
  readonly until: string | undefined
  readonly error: string | undefined
}

const deadFilterOf = ({ endpoint, since, until }: DeadFilter) => ({
  endpointId: endpoint,
  since: timeOf("--since", since),
  until: timeOf("--until", until)
})

const ofError = async function*<A extends { readonly finalError: string }>(
  list: AsyncIterable<A>,
  error: string | undefined
): AsyncIterable<A> {
  for await (const row of list) if (error === undefined || row.finalError === error) yield row
}

export const listDead = simple<Limited & DeadFilter & { readonly replayed: boolean }>(
  async (admin, { limit, replayed, ...filter }, { out, signal }) => {
    const list = admin.deadLetters.list({ ...deadFilterOf(filter), ...(replayed ? {} : { replayed: false }) }, {
      signal
    })
    out.rows(await take(ofError(list, filter.error), limit), {
      delivery: ({ deliveryId }) => deliveryId,
      error: ({ finalError }) => finalError,
      died: ({ deadAt }) => isoOf(deadAt),
      endpoint: ({ endpointId }) => endpointId,
      replayed: ({ replayedAt }) => isoOf(replayedAt),
      "ordering key": ({ orderingKey }) => orderingKey
    }, "no delivery is dead")
  }
)

export interface ReplayDeadInput extends DeadFilter {
  readonly id: ReadonlyArray<string>
  readonly all: boolean
  readonly rate: number
  readonly dryRun: boolean
  readonly yes: boolean
  readonly limit: number | undefined
}

/** Replays named dead letters, or all that match, at a rate that the receiver bears. */
export const replayDead: Run<ReplayDeadInput> = (input, context) => {
  const { all, dryRun, id, limit = Number.POSITIVE_INFINITY, rate, yes, ...filter } = input
  if (id.length > 0 && all) throw usage("give the ids of deliveries or --all, not both")
  if (id.length > 0) return replay({ id }, context)
  if (!all) throw usage("give the ids of deliveries, or --all with filters; see \"hookrail dlq list\"")
  if (!dryRun && !yes) throw usage("this delivers many webhooks again: look first with --dry-run, and then say --yes")
  if (!(rate > 0)) throw usage("--rate must be above 0: so many a second")
  const { out, signal } = context
  return withAdmin(context, async (admin) => {
    let [count, failed] = [0, 0]
    const { endpointId, since, until } = deadFilterOf(filter)
    // The limit is here, because several are under way at a time: leaving the loop would be too late.
    let matching = 0
    const where = ({ finalError }: { readonly finalError: string }) =>
      (filter.error === undefined || finalError === filter.error) && matching++ < limit
    for await (const result of admin.replayAll({ endpointId, since, until, where }, { rate, dryRun, signal })) {
      const { deliveryId, finalError } = result.deadLetter
      const isReplayed = result._tag === "Replayed"
      const error = result._tag === "NotReplayed" ? result.error.message : undefined
      // Somebody else was faster, or its endpoint is gone: the others go on.
      if (error === undefined) count++
      else failed++
      out.data({ deliveryId, finalError, replayed: isReplayed, error }, () =>
        error !== undefined
          ? `${deliveryId} is not: ${oneLine(error)}`
          : isReplayed
          ? `${deliveryId} is delivered again`
          : `${deliveryId}  ${oneLine(finalError)}`)
    }
    out.note(dryRun ? `${count} would be delivered again` : `${count} are delivered again`)
    if (failed === 0) return exitCodes.ok
    throw new Failure(exitCodes.failed, `${failed} of ${count + failed} could not be replayed`, { failed })
  })
}

// Tokens --------------------------------------------------------------------------------------------------------------

export const listTokens = simple<Limited>(async (admin, { limit }, { out, signal }) =>
  out.rows(await take(admin.tokens.list({}, { signal }), limit), {
    id: ({ id }) => id,
    role: ({ role }) => role,
    label: ({ label }) => label,
    created: ({ createdAt }) => isoOf(createdAt),
    revoked: ({ revokedAt }) => isoOf(revokedAt)
  }, none)
)

export const createToken = simple<{ readonly role: "viewer" | "operator" | "admin"; readonly label: string }>(
  async (admin, { label, role }, { out, signal }) => {
    const created = await admin.tokens.create({ role, label }, { signal })
    const { duplicateIds, id } = created
    const token = created.token.reveal()
    out.data({ id, role, label, token, duplicateIds }, () => fields({ id, role, label, token }))
    out.note("the token is shown once: keep it as HOOKRAIL_ADMIN_TOKEN")
    if (duplicateIds.length > 0) out.warn(`perhaps made twice: look at ${duplicateIds.join(", ")}`)
  }
)

export const revokeToken = simple<{ readonly id: string }>(async (admin, { id }, { out, signal }) => {
  await admin.tokens.revoke(id, { signal })
  out.data({ id, revoked: true }, () => `${id} is revoked`)
})
