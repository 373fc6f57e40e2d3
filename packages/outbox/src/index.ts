/**
 * A transactional outbox and inbox for Hookrail, in your own Postgres or SQLite. Nothing here needs Effect; see
 * `@hookrail/outbox/effect-3`.
 *
 * @since 0.1.0
 */
export { enqueue, type Enqueued, enqueueMany, enqueueSync } from "./enqueue/enqueue.js"
export type { AnyEvents, EncodedEvent, OutboxEvent } from "./enqueue/freeze.js"
export type { Catalogue, EnqueueOptions, OutboxEventOf, TypedEnqueueOptions } from "./enqueue/options.js"
export { prismaEnqueue } from "./enqueue/prisma.js"
export { outboxStatement, type StatementOptions } from "./enqueue/statement.js"
export * from "./errors.js"
export type { Executor, SyncExecutor } from "./executor/model.js"
export {
  type DrizzleHandle,
  type DrizzleSql,
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPrisma,
  fromTypeOrm,
  type KnexHandle,
  type KyselyHandle,
  type PrismaHandle,
  type TypeOrmManager
} from "./executor/orm.js"
export {
  fromPg,
  fromPglite,
  fromPostgresJs,
  type PgClient,
  type PgliteClient,
  type PgOptions,
  type PostgresJsSql
} from "./executor/pg.js"
export { fromLibsqlClient, fromSqlite, type LibsqlClient, type SqliteDatabase } from "./executor/sqlite.js"
export {
  drizzleTransactions,
  knexTransactions,
  kyselyTransactions,
  libsqlTransactions,
  pgliteTransactions,
  pgTransactions,
  postgresJsTransactions,
  prismaTransactions,
  type Transactions,
  typeOrmTransactions
} from "./executor/transactions.js"
export type { DeliveryName, InboxOptions } from "./inbox/delivery.js"
export { isFirstDelivery, isFirstDeliverySync, type Processed, processInTransaction } from "./inbox/inbox.js"
export { type Claim, type DeliveryLog, deliveryLog } from "./inbox/log.js"
export {
  type BlockedKey,
  blockedKeys,
  type DecideOptions,
  discardEvent,
  type EventSummary,
  listEvents,
  type ListOptions,
  type OperateOptions,
  type OutboxStats,
  outboxStats,
  prune,
  type PruneOptions,
  retryEvent
} from "./operate/events.js"
export {
  migrate,
  migrationSql,
  type MigrationSqlOptions,
  requireSchema,
  type SchemaStatus,
  schemaStatus
} from "./operate/migrate.js"
export type { ParkReason, Relay, RelayClient, RelayLog, RelayOptions, RelayStats } from "./relay/model.js"
export { startRelay } from "./relay/relay.js"
export type { Dialect, Row, Statement, Value } from "./sql/dialect.js"
export type { NamesOptions } from "./sql/names.js"
