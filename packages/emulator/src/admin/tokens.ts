import type { Answer } from "../http/wire.js"
import type { DatabaseState } from "../model.js"
import { bearerOf } from "../producer/producers.js"
import { tokenRequired, tokenUnverified } from "./problems.js"

/** Roles of the admin API, lowest first (protocol section 3). */
export type Role = "viewer" | "operator" | "admin"

/** The roles in order. */
export const roles: ReadonlyArray<Role> = ["viewer", "operator", "admin"]

/** A scoped admin token as stored. Times are milliseconds since 1970. */
export interface AdminToken {
  readonly id: string
  readonly role: Role
  readonly label: string
  readonly token: string
  readonly createdAt: number
  revokedAt: number | undefined
}

/** Most tokens that may be active at once (protocol section 5.2). */
export const maxActiveTokens = 256

/** The admin tokens: the one from the environment and those created by the API. */
export class AdminTokens {
  readonly byId = new Map<string, AdminToken>()

  constructor(private readonly environment: string) {}

  /** Tokens that are not revoked. */
  get active(): number {
    let count = 0
    for (const token of this.byId.values()) if (token.revokedAt === undefined) count++
    return count
  }

  /** The role of a request, or its refusal; the environment token needs no database (protocol section 3). */
  authenticate(authorization: string | undefined, database: DatabaseState): Role | Answer {
    const token = bearerOf(authorization)
    if (token === undefined) return tokenRequired
    if (token === this.environment) return "admin"
    if (database === "down") return tokenUnverified
    for (const known of this.byId.values()) {
      if (known.token === token && known.revokedAt === undefined) return known.role
    }
    return tokenRequired
  }
}
