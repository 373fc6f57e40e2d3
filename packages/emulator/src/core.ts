import type { Producers } from "./auth.js"
import type { Clock } from "./clock.js"
import type { Dispatcher, Surroundings } from "./delivery.js"
import type { Directory } from "./directory.js"
import type { Faults } from "./faults.js"
import type { Ledger } from "./ledger.js"
import type { Settings } from "./options.js"
import type { Random } from "./random.js"
import type { Store } from "./store.js"

/** The parts of one emulator, as its handlers see them. */
export interface Core {
  readonly settings: Settings
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly directory: Directory
  readonly dispatcher: Dispatcher
  readonly producers: Producers
  readonly faults: Faults
  readonly ledger: Ledger
  readonly surroundings: Surroundings
}
