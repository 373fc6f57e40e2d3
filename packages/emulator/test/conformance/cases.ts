import { adminCases } from "./admin.js"
import type { Case } from "./case.js"
import { deliveryCases } from "./delivery.js"
import { idempotencyCases } from "./idempotency.js"
import { ingestCases } from "./ingest.js"
import { statusCases } from "./status.js"

/** The whole suite. */
export const cases: ReadonlyArray<Case> = [
  ...ingestCases,
  ...idempotencyCases,
  ...statusCases,
  ...deliveryCases,
  ...adminCases
]
