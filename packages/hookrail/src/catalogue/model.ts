/** Schemas of payloads by topic, whichever library made them. */

/**
 * A schema of any library that implements Standard Schema, such as Zod, Valibot or ArkType. For a Schema of Effect, take
 * `Schema.standardSchemaV1(schema)`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StandardSchema<out Input = unknown, out Output = Input> {
  readonly "~standard": {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<StandardIssue> }

/**
 * @since 0.1.0
 * @category models
 */
export interface StandardIssue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

/**
 * A schema with the way back: senders give its output, and `encode` makes the input, which is what is sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface EventCodec<out Input, in out Output> {
  readonly schema: StandardSchema<Input, Output>
  readonly encode: (payload: Output) => Input | Promise<Input>
}

/**
 * What a catalogue says about a topic: its schema, or an `EventCodec`.
 *
 * @since 0.1.0
 * @category models
 */
export type EventDefinition =
  | StandardSchema
  | { readonly schema: StandardSchema; readonly encode: (payload: never) => unknown }

/**
 * @since 0.1.0
 * @category models
 */
export interface EventDefinitions {
  readonly [topic: string]: EventDefinition
}

type InputOf<S> = S extends StandardSchema<infer Input, unknown> ? Input : never

type OutputOf<S> = S extends StandardSchema<unknown, infer Output> ? Output : never

/**
 * What a sender gives for a topic: the input of its schema, or with an `encode` the output.
 *
 * @since 0.1.0
 * @category models
 */
export type SentBy<Definition> = Definition extends { readonly schema: infer S; readonly encode: unknown } ? OutputOf<S>
  : InputOf<Definition>

/**
 * What a handler gets for a topic: the output of its schema.
 *
 * @since 0.1.0
 * @category models
 */
export type ReceivedBy<Definition> = Definition extends { readonly schema: infer S; readonly encode: unknown }
  ? OutputOf<S>
  : OutputOf<Definition>

/**
 * A payload that fits, as it goes on; or where and why it does not, without its values.
 *
 * @since 0.1.0
 * @category models
 */
export type Verdict =
  | { readonly value: unknown }
  | {
    /** Such as `$.items[3].price`. */
    readonly path: string
    readonly reason: string
  }

/**
 * What `defineEvents` of `@hookrail/promise/events` returns, as far as clients, handlers and `Topic.fromEvents` need it.
 *
 * A catalogue brings its checks along, so that it works with any copy and format of the packages that take it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Catalogue<out Sent extends object = object, out Received extends object = object> {
  readonly "~hookrail/EventCatalogue": {
    /** All topics, with their definitions. */
    readonly definitions: ReadonlyMap<string, EventDefinition>
    /** What is sent for a payload, as a JSON value. Never throws or rejects. `undefined`: there is no such topic. */
    readonly encode: (topic: string, payload: unknown) => Verdict | Promise<Verdict> | undefined
    /** What a handler gets. Throws or rejects if the schema does. `undefined`: there is no such topic. */
    readonly decode: (topic: string, json: unknown) => Verdict | Promise<Verdict> | undefined
    /** What to say of a topic that is not there. */
    readonly unknown: (topic: string) => string
    /** Never set: it only carries the types. */
    readonly types?: { readonly sent: Sent; readonly received: Received } | undefined
  }
}
