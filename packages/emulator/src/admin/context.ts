import type { Core } from "../core.js"
import type { Query } from "../http/query.js"
import type { DatabaseState } from "../model.js"
import type { Fields } from "./fields.js"
import type { AdminTokens, Role } from "./tokens.js"

/** What an admin handler gets: the authorised request, with its body if the route takes one. */
export interface AdminContext {
  readonly core: Core
  readonly tokens: AdminTokens
  readonly role: Role
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
  readonly fields: Fields
  readonly database: DatabaseState
  /** Whether the database answers queries. */
  readonly readable: boolean
  /** Whether the database takes writes. */
  readonly writable: boolean
}
