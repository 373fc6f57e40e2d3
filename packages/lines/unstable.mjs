/**
 * What the packages for Effect 4 use of the parts of Effect that may change in a minor version, by module of ours. The range of
 * the peer dependency ends before the next minor version because of these.
 */
export const unstable = {
  "outbox/src/effect.ts": "the adapter of effect/sql, as an entry of its own",
  "outbox/src/line-4/executor.ts": "the client of effect/sql",
  "outbox/src/line-4/Relay.ts": "the type of what the layer of a relay needs",
  "hookrail-4/src/transport/httpClient.ts": "Transport.layerHttpClient, loaded when the layer is built",
  "hookrail-4/src/Transport.ts": "the type of what that layer needs",
  "hookrail-4/src/ways/platformRequest.ts": "Webhooks.toHttpApp, loaded when it first handles a request",
  "hookrail-4/src/Webhooks.ts": "the types of toHttpApp"
}
