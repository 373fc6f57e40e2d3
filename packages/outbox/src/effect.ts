/**
 * The outbox in Effect: thin adapters over the plain functions.
 *
 * @since 0.1.0
 */
export {}
