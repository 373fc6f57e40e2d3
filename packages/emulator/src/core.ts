import type { Clock } from "./base/clock.js"
import type { Random } from "./base/random.js"
import type { Dispatcher, Surroundings } from "./delivery/dispatcher.js"
import type { Faults } from "./faults.js"
import type { Settings } from "./options/settings.js"
import type { Producers } from "./producer/producers.js"
import type { Directory } from "./store/directory.js"
import type { Ledger } from "./store/ledger.js"
import type { Store } from "./store/store.js"

/** The parts of an emulator that its handlers use. */
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
