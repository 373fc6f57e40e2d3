/** The command line: all commands with their flags and arguments. What a command does is loaded when it runs. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { deliveryStates } from "hookrail/wire/deliveryState"
import { completions } from "./base/completions.js"
import type { Context, Run } from "./base/context.js"
import { type Format, Output, type Streams } from "./base/output.js"
import { Settings } from "./base/settings.js"
import type * as Admin from "./commands/admin.js"
import type * as Outbox from "./commands/outbox.js"

// What all commands have ------------------------------------------------------------------------------------------

const FormatFlag = GlobalFlag.Setting("format")({
  flag: Flag.Literals("format", ["text", "json"]).pipe(
    Flag.withDefault("text" as Format),
    Flag.withMetavar("<text|json>"),
    Flag.withDescription("text for people, json for programs: one line for each object")
  )
})

const ProfileFlag = GlobalFlag.Setting("profile")({
  flag: Flag.String("profile").pipe(
    Flag.optional,
    Flag.withMetavar("<name>"),
    Flag.withDescription("Keys and URLs of a profile in ~/.config/hookrail/config.json")
  )
})

/** Not `--env-file`: Node 20 takes that for itself, wherever it stands, and ends if there is no such file yet. */
const EnvFileFlag = GlobalFlag.Setting("dotenv")({
  flag: Flag.String("dotenv").pipe(
    Flag.optional,
    Flag.withMetavar("<file>"),
    Flag.withDescription("Keys and URLs of a file such as .env; \"dev\" writes them there")
  )
})

const globals = [FormatFlag, ProfileFlag, EnvFileFlag] as const

export const builtIns = [GlobalFlag.Help, GlobalFlag.Version, completions(globals.map(({ flag }) => flag))]

/** What a run of the program gives to its commands. */
export interface Surroundings {
  readonly streams: Streams
  readonly signal: AbortSignal
  readonly version: string
  /** Told as soon as the format is known, for errors. */
  readonly onOutput: (out: Output) => void
  readonly onExit: (code: number) => void
}

// Helpers ---------------------------------------------------------------------------------------------------------

const maybe = <A>(flag: Flag.Flag<A>): Flag.Flag<A | undefined> =>
  flag.pipe(Flag.optional, Flag.map(Option.getOrUndefined))

const text = (name: string, metavar: string, description: string) =>
  maybe(Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description)))

const texts = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.atLeast(0))

const whole = (name: string, description: string) =>
  maybe(Flag.Int(name).pipe(Flag.withMetavar("<number>"), Flag.withDescription(description)))

const limit = (description: string) =>
  maybe(
    Flag.Int("limit").pipe(
      Flag.filter((count) => count > 0, () => "1 or more"),
      Flag.withMetavar("<number>"),
      Flag.withDescription(description)
    )
  )

const yes = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDefault(false), Flag.withDescription(description), Flag.withoutNegation)

const argument = (name: string, description: string) =>
  Argument.String(name).pipe(Argument.withDescription(description))

const optionalArgument = (name: string, description: string) =>
  argument(name, description).pipe(Argument.optional, Argument.map(Option.getOrUndefined))

/** For lists of commands. */
const shortOf = (description: string): string => description.split(/[.;] |[.:]$|: /)[0]!

type Example = readonly [command: string, description: string]

/** All commands of a surroundings. */
export const rootOf = (surroundings: Surroundings) => {
  const { onExit, onOutput, signal, streams, version } = surroundings

  const define = <const Name extends string, const Config extends Command.Command.Config>(
    name: Name,
    config: Config,
    description: string,
    examples: ReadonlyArray<Example>,
    load: (envFile: string | undefined) => Promise<Run<Command.Command.Config.Infer<Config>>>
  ) =>
    Command.make(name, config, (input) =>
      Effect.gen(function*() {
        const out = new Output(yield* FormatFlag, streams)
        onOutput(out)
        const envFile = Option.getOrUndefined(yield* EnvFileFlag)
        const profile = Option.getOrUndefined(yield* ProfileFlag)
        const settings = new Settings({ env: streams.env, profile, envFile })
        const context: Context = { out, settings, signal, env: streams.env, version }
        const code = yield* Effect.promise(() => load(envFile).then((run) => run(input, context)))
        onExit(code ?? 0)
      })).pipe(
        Command.withDescription(description),
        Command.withShortDescription(shortOf(description)),
        Command.withExamples(examples.map(([command, description]) => ({ command, description })))
      )

  const sending = {
    topic: argument("topic", "Such as orders.created"),
    set: texts("set", "<name=value>", "Set a place of the payload: customer.name=x, items[0].price=4; JSON or text"),
    setString: texts("set-string", "<name=value>", "The same, always as text"),
    from: text("from", "<file>", "Take the payload from a JSON file; - is the standard input"),
    catalog: text("catalog", "<module>", "Check the payload against the topics that a module exports"),
    key: text("key", "<text>", "The idempotency key; default a new one"),
    orderingKey: text("ordering-key", "<text>", "Events with the same one are delivered in order"),
    wait: yes("wait", "Wait until the event is delivered"),
    timeout: Flag.String("timeout").pipe(
      Flag.withDefault("60s"),
      Flag.withMetavar("<duration>"),
      Flag.withDescription("How long to wait at most")
    )
  }

  const dev = define(
    "dev",
    {
      forward: texts("forward", "<url>", "Where webhooks go, such as http://localhost:3000/webhooks; or topic=url"),
      topic: texts("topic", "<pattern>", "Which topics, such as orders.*; default all"),
      port: whole("port", "Where to listen; default 8080 or a free one"),
      adminPort: whole("admin-port", "Where the admin API listens; default 8082 or a free one"),
      printSecret: yes("print-secret", "Print the signing secret, and end")
    },
    "Run a Hookrail server on this machine that forwards webhooks to your receiver, and watch it.",
    [
      [
        "hookrail dev --forward http://localhost:3000/webhooks --dotenv .env",
        "Forward, and give your program its keys"
      ],
      ["hookrail dev --forward \"orders.*=3000/orders\" --forward \"users.*=4000/users\"", "Two receivers"],
      ["export HOOKRAIL_WEBHOOK_SECRET=$(hookrail dev --print-secret)", "The secret, which stays the same"]
    ],
    async (envFile) => {
      const { dev } = await import("./commands/dev.js")
      return (input, context) => dev({ ...input, envFile }, context)
    }
  )

  const trigger = define(
    "trigger",
    { ...sending, dryRun: yes("dry-run", "Print the payload instead of sending it") },
    "Send a test event: an example of the topic with your values.",
    [
      ["hookrail trigger orders.created --set order_id=o_9 --set customer.name=Ada", "A payload from the command line"],
      [
        "hookrail trigger orders.created --from order.json --set amount=0 --wait",
        "From a file, with a change; wait for it"
      ],
      ["hookrail trigger orders.created --catalog ./topics.js", "An example that the topic's schema describes"]
    ],
    () => import("./commands/event.js").then(({ trigger }) => trigger)
  )

  const send = define(
    "send",
    { ...sending, payload: optionalArgument("payload", "JSON") },
    "Send an event with exactly this payload.",
    [
      ["hookrail send orders.created '{\"order_id\":\"o_1\"}'", "A payload as an argument"],
      ["jq .order shop.json | hookrail send orders.created --from - --key order-o_1", "From a pipe, once only"]
    ],
    () => import("./commands/event.js").then(({ sendEvent }) => sendEvent)
  )

  const status = define(
    "status",
    { eventId: argument("event-id", "As \"send\" printed it") },
    "Show the deliveries of an event and their attempts.",
    [["hookrail status 01K7Z0000000000000000EVENT", ""]],
    () => import("./commands/event.js").then(({ status }) => status)
  )

  const wait = define(
    "wait",
    { eventId: argument("event-id", "As \"send\" printed it"), timeout: sending.timeout },
    "Wait until an event is delivered; the exit code says how it ended.",
    [["hookrail wait 01K7Z0000000000000000EVENT --timeout 2m", "At most two minutes"]],
    () => import("./commands/event.js").then(({ wait }) => wait)
  )

  const doctor = define(
    "doctor",
    {
      url: optionalArgument("url", "Your receiver, to check that too"),
      topic: Flag.String("topic").pipe(
        Flag.withDefault("hookrail.doctor"),
        Flag.withMetavar("<topic>"),
        Flag.withDescription("The topic of the webhooks that the receiver gets")
      )
    },
    "Look for what is wrong: the server, the keys, the clock, proxies, and a receiver.",
    [
      ["hookrail doctor", "The server and the keys"],
      [
        "hookrail doctor https://shop.example.com/webhooks",
        "Also a receiver: it gets webhooks of the topic hookrail.doctor"
      ]
    ],
    () => import("./commands/doctor.js").then(({ doctor }) => doctor)
  )

  const verify = define(
    "verify",
    {
      file: optionalArgument(
        "file",
        "A captured request: HTTP as text, or JSON with headers and body; default the standard input"
      ),
      header: texts("header", "<name: value>", "A header, if the file is the body alone"),
      tolerance: text("tolerance", "<duration>", "Refuse it if it is older; default any age, as it was captured")
    },
    "Verify a captured webhook, and find out why it does not match.",
    [["hookrail verify request.http", "With the secret of HOOKRAIL_WEBHOOK_SECRET"]],
    () => import("./commands/webhook.js").then(({ verify }) => verify)
  )

  const sign = define(
    "sign",
    {
      topic: sending.topic,
      payload: optionalArgument("payload", "JSON"),
      from: sending.from,
      set: sending.set,
      setString: sending.setString,
      raw: yes("raw", "Sign the bytes of --from as they are, not as Hookrail would write them"),
      deliveryId: text("delivery-id", "<id>", "Reuse one, to simulate a retry"),
      eventId: text("event-id", "<id>", "Reuse one"),
      to: text("to", "<url>", "Send it there, and show the answer")
    },
    "Make a genuine webhook, and print or send it.",
    [
      ["hookrail sign orders.created --set order_id=o_1 --to http://localhost:3000/webhooks", "Straight to a receiver"],
      ["hookrail sign orders.created '{\"order_id\":\"o_1\"}' > request.http", "As text, which \"verify\" reads"]
    ],
    () => import("./commands/webhook.js").then(({ sign }) => sign)
  )

  // Administration ------------------------------------------------------------------------------------------------

  const admin = <A>(choose: (module: typeof Admin) => A): Promise<A> => import("./commands/admin.js").then(choose)

  const group = <const Commands extends ReadonlyArray<Command.Command.Any>>(
    name: string,
    description: string,
    commands: Commands
  ) =>
    Command.make(name).pipe(
      Command.withDescription(description),
      Command.withShortDescription(shortOf(description)),
      Command.withSubcommands(commands)
    )

  const id = argument("id", "Its id")
  const count = Flag.Int("limit").pipe(
    Flag.filter((count) => count > 0, () => "1 or more"),
    Flag.withDefault(50),
    Flag.withMetavar("<number>"),
    Flag.withDescription("At most how many")
  )

  const deliveryFilter = {
    state: maybe(
      Flag.Literals("state", deliveryStates).pipe(Flag.withDescription("Only those in this state"))
    ),
    endpoint: text("endpoint", "<id>", "Only those of this endpoint"),
    topic: text("topic", "<topic>", "Only those of exactly this topic"),
    event: text("event", "<id>", "Only those of this event")
  }

  const deadFilter = {
    endpoint: text("endpoint", "<id>", "Only those of this endpoint"),
    since: text("since", "<time>", "Only those that died since, such as 2h or 2026-11-24T08:00:00Z"),
    until: text("until", "<time>", "Only those that died before"),
    error: text("error", "<class>", "Only those that ended so, such as http_500 or timeout")
  }

  const tail = define(
    "tail",
    {
      ...deliveryFilter,
      interval: Flag.String("interval").pipe(
        Flag.withDefault("2s"),
        Flag.withMetavar("<duration>"),
        Flag.withDescription("How often to ask")
      ),
      last: Flag.Int("last").pipe(
        Flag.withDefault(10),
        Flag.withMetavar("<number>"),
        Flag.withDescription("How many to show at the start")
      )
    },
    "Watch the deliveries of a server.",
    [["hookrail tail --state dead_lettered --format json", "What goes wrong, for a program"]],
    () => import("./commands/tail.js").then(({ tail }) => tail)
  )

  const deliveries = group("deliveries", "List and look at deliveries.", [
    define(
      "list",
      { ...deliveryFilter, limit: count },
      "List deliveries, the newest first.",
      [],
      () => admin(({ listDeliveries }) => listDeliveries)
    ),
    define("show", { id }, "Show a delivery with its attempts.", [], () => admin(({ showDelivery }) => showDelivery)),
    define(
      "blocked",
      { limit: count },
      "List the ordering keys that a dead delivery blocks.",
      [],
      () => admin(({ listBlockedKeys }) => listBlockedKeys)
    )
  ])

  const dlq = group("dlq", "Dead letters: deliveries that the server has given up.", [
    define(
      "list",
      { ...deadFilter, replayed: yes("replayed", "Also those that were replayed"), limit: count },
      "List dead letters, the newest first.",
      [["hookrail dlq list --since 2h --error timeout", ""]],
      () => admin(({ listDead }) => listDead)
    ),
    define(
      "replay",
      {
        id: Argument.String("delivery-id").pipe(Argument.withDescription("Those to replay"), Argument.variadic()),
        all: yes("all", "All that match the filters"),
        ...deadFilter,
        rate: Flag.Finite("rate").pipe(
          Flag.withDefault(5),
          Flag.withMetavar("<number>"),
          Flag.withDescription("How many a second")
        ),
        limit: limit("At most how many; default all"),
        dryRun: yes("dry-run", "Only list them"),
        yes: yes("yes", "Really, for --all")
      },
      "Deliver dead letters again.",
      [
        ["hookrail dlq replay --all --since 2h --error timeout --dry-run", "What it would be"],
        ["hookrail dlq replay --all --since 2h --error timeout --rate 20 --yes", "Do it"]
      ],
      () => admin(({ replayDead }) => replayDead)
    )
  ])

  const replay = define(
    "replay",
    { id: Argument.String("delivery-id").pipe(Argument.withDescription("Dead deliveries"), Argument.atLeast(1)) },
    "Deliver dead deliveries again, from their first attempt.",
    [],
    () => admin(({ replay }) => replay)
  )

  const skip = define(
    "skip",
    { id: argument("delivery-id", "The dead delivery that blocks an ordering key") },
    "Give up the dead delivery at the head of an ordering key, so that the next one is delivered.",
    [],
    () => admin(({ skip }) => skip)
  )

  const description = text("description", "<text>", "For people")

  const endpoints = group("endpoints", "Where webhooks are delivered to.", [
    define(
      "list",
      { deleted: yes("deleted", "Also deleted ones"), limit: count },
      "List endpoints.",
      [],
      () => admin(({ listEndpoints }) => listEndpoints)
    ),
    define("show", { id }, "Show an endpoint.", [], () => admin(({ showEndpoint }) => showEndpoint)),
    define(
      "create",
      {
        url: argument("url", "A public https URL"),
        description,
        topic: texts("topic", "<pattern>", "Subscribe it to a topic, orders.* or *")
      },
      "Make an endpoint, and print its secret: it is shown once.",
      [["hookrail endpoints create https://shop.example.com/webhooks --topic \"orders.*\"", ""]],
      () => admin(({ createEndpoint }) => createEndpoint)
    ),
    define(
      "update",
      { id, url: text("url", "<url>", "A new URL"), description },
      "Change an endpoint, for deliveries that exist too.",
      [],
      () => admin(({ updateEndpoint }) => updateEndpoint)
    ),
    define(
      "delete",
      { id },
      "Delete an endpoint; its deliveries that wait are cancelled.",
      [],
      () => admin(({ deleteEndpoint }) => deleteEndpoint)
    )
  ])

  const rotate = define(
    "rotate",
    {
      id: argument("endpoint-id", "The endpoint"),
      deploy: text("deploy", "<command>", "Gives the receiver HOOKRAIL_NEW_WEBHOOK_SECRET besides the one that it has"),
      receiverUrl: text("receiver-url", "<url>", "Where the receiver is reached from here; default the endpoint's URL")
    },
    "Give an endpoint a new secret, and print it. The server signs with it at once.",
    [[
      "hookrail rotate 01M8... --deploy ./deploy-secret.sh",
      "So that nothing is lost: checks the receiver, rotates, deploys, waits until it accepts both"
    ]],
    () => admin(({ rotate }) => rotate)
  )

  const delivering = {
    maxAttempts: whole("max-attempts", "Attempts before a delivery is given up, 1 to 100; default 8"),
    rate: maybe(
      Flag.Finite("rate").pipe(Flag.withMetavar("<number>"), Flag.withDescription("Deliveries a second at most"))
    )
  }

  const subscriptions = group("subscriptions", "Which topics an endpoint gets.", [
    define(
      "list",
      { endpoint: text("endpoint", "<id>", "Only those of this endpoint"), limit: count },
      "List subscriptions.",
      [],
      () => admin(({ listSubscriptions }) => listSubscriptions)
    ),
    define("show", { id }, "Show a subscription.", [], () => admin(({ showSubscription }) => showSubscription)),
    define(
      "create",
      {
        topic: argument("topic", "A topic, orders.* or *"),
        endpoint: Flag.String("endpoint").pipe(Flag.withMetavar("<id>"), Flag.withDescription("Where they go")),
        ordered: yes("ordered", "Events with the same ordering key one after the other; for ever"),
        ...delivering
      },
      "Subscribe an endpoint to a topic.",
      [],
      () => admin(({ createSubscription }) => createSubscription)
    ),
    define(
      "ensure",
      {
        topic: argument("topic", "A topic, orders.* or *"),
        url: argument("url", "Where they go: its endpoint is found, or made"),
        ordered: yes("ordered", "Events with the same ordering key one after the other; for ever"),
        ...delivering
      },
      "See to it that a topic is delivered to a URL, however often this runs.",
      [["hookrail subscriptions ensure \"orders.*\" https://shop.example.com/webhooks", "In a script of deployment"]],
      () => admin(({ ensureSubscription }) => ensureSubscription)
    ),
    define(
      "update",
      {
        id,
        pause: yes("pause", "New events are not delivered"),
        resume: yes("resume", "New events are delivered again"),
        ...delivering
      },
      "Change a subscription.",
      [],
      () => admin(({ updateSubscription }) => updateSubscription)
    ),
    define(
      "delete",
      { id },
      "Delete a subscription; its deliveries that wait are cancelled.",
      [],
      () => admin(({ deleteSubscription }) => deleteSubscription)
    )
  ])

  const tokens = group("tokens", "Admin tokens.", [
    define("list", { limit: count }, "List admin tokens.", [], () => admin(({ listTokens }) => listTokens)),
    define(
      "create",
      {
        role: Argument.Literals("role", ["viewer", "operator", "admin"]).pipe(
          Argument.withDescription("viewer looks, operator also replays and skips, admin does everything")
        ),
        label: argument("label", "What it is for")
      },
      "Make an admin token, and print it: it is shown once.",
      [["hookrail tokens create viewer dashboard", ""]],
      () => admin(({ createToken }) => createToken)
    ),
    define("revoke", { id }, "Revoke an admin token at once.", [], () => admin(({ revokeToken }) => revokeToken))
  ])

  const whoami = define("whoami", {}, "Show the role of the admin token.", [], () => admin(({ whoami }) => whoami))

  // The outbox ----------------------------------------------------------------------------------------------------

  const names = {
    schema: text("schema", "<name>", "The schema of the tables"),
    prefix: text("prefix", "<name>", "What their names begin with; default hookrail_")
  }

  const open = {
    database: text(
      "database",
      "<url>",
      "postgres://... or sqlite:<file>; better in HOOKRAIL_DATABASE_URL, which nobody sees"
    ),
    destination: text("destination", "<name>", "Whose events; default all, and \"default\" for a decision"),
    ...names
  }

  const load = <A>(choose: (module: typeof Outbox) => A): Promise<A> => import("./commands/outbox.js").then(choose)

  const some = limit("At most how many; default 100")
  const key = argument("key", "The idempotency key of a parked or dead event")

  const outbox = Command.make("outbox").pipe(
    Command.withDescription("Look after the outbox in your own database (@hookrail/outbox)."),
    Command.withShortDescription("Look after the outbox in your own database (@hookrail/outbox)"),
    Command.withSubcommands([
      define(
        "status",
        open,
        "Show the version of the tables, how much waits, and for how long.",
        [],
        () => load(({ status }) => status)
      ),
      define(
        "migrate",
        open,
        "Create the tables, or bring them to the version that is needed.",
        [],
        () => load(({ migrateTables }) => migrateTables)
      ),
      define(
        "sql",
        {
          dialect: Flag.Literals("dialect", ["postgres", "sqlite"]).pipe(Flag.withDescription("Of which database")),
          from: whole("from", "The version that the tables have; default 0"),
          separator: text(
            "separator",
            "<text>",
            "What stands between two statements; with =, such as --separator=\"--> statement-breakpoint\""
          ),
          ...names
        },
        "Print the migrations, for another migration tool.",
        [["hookrail outbox sql --dialect postgres > migrations/0007_hookrail.sql", ""]],
        () => load(({ sql }) => sql)
      ),
      define(
        "list",
        {
          state: Flag.Literals("state", ["parked", "waiting", "dead"]).pipe(
            Flag.withDefault("parked" as const),
            Flag.withDescription("Which events; default those that wait for a decision")
          ),
          after: whole("after", "Only those behind this seq"),
          limit: some,
          ...open
        },
        "List events, without their payloads.",
        [],
        () => load(({ list }) => list)
      ),
      define(
        "blocked",
        { limit: some, ...open },
        "List the ordering keys that a parked event blocks.",
        [],
        () => load(({ blocked }) => blocked)
      ),
      define("retry", { key, ...open }, "Send a parked or dead event again.", [], () => load(({ retry }) => retry)),
      define(
        "discard",
        { key, ...open },
        "Delete a parked or dead event: it is never sent.",
        [],
        () => load(({ discard }) => discard)
      )
    ])
  )

  const mcp = define(
    "mcp",
    {
      allowWrites: yes("allow-writes", "Also tools that send, replay and skip"),
      emulator: yes("emulator", "On a server of its own on this machine, instead of the configured one"),
      forward: texts("forward", "<url>", "With --emulator: where its webhooks go; or topic=url")
    },
    "Serve tools for coding agents: the Model Context Protocol on standard input and output.",
    [
      [
        "claude mcp add hookrail -- npx -y @hookrail/cli mcp",
        "Tools to look, for the server of \"hookrail dev\" or the environment"
      ],
      ["hookrail mcp --allow-writes --profile staging", "Also to send and replay"]
    ],
    () => import("./commands/mcp.js").then(({ mcp }) => mcp)
  )

  return Command.make("hookrail").pipe(
    Command.withDescription("Webhooks on your machine, and a Hookrail server from the terminal."),
    Command.withSubcommands([
      { group: "On this machine", commands: [dev, trigger] },
      { group: "Events", commands: [send, status, wait] },
      { group: "When something is wrong", commands: [doctor, verify, sign] },
      {
        group: "A server",
        commands: [tail, deliveries, dlq, replay, skip, endpoints, subscriptions, rotate, tokens, whoami]
      },
      { group: "In your database", commands: [outbox] },
      { group: "For coding agents", commands: [mcp] }
    ]),
    Command.withGlobalFlags(globals)
  )
}
