/** `pnpm soak [--seconds 60] [--seed N] [--fibers 200] [--rate 300]`: exits with 1 if anything was lost or duplicated. */
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { render } from "./report.js"
import { soak } from "./soak.js"

const { values } = parseArgs({
  // pnpm passes on the `--` that npm takes away.
  args: process.argv.slice(2).filter((arg) => arg !== "--"),
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(process.pid) },
    fibers: { type: "string", default: "200" },
    rate: { type: "string", default: "300" }
  }
})

const number = (name: keyof typeof values): number => {
  const value = Number(values[name])
  if (Number.isFinite(value) && value > 0) return value
  console.error(`--${name} must be a number above zero`)
  process.exit(2)
}

const options = {
  seconds: number("seconds"),
  seed: number("seed"),
  fibers: number("fibers"),
  rate: number("rate"),
  timeoutMs: 1_000
}

console.log(`soak run for ${options.seconds} s with seed ${options.seed}`)
const report = await Effect.runPromise(soak(options))
console.log(render(report))
process.exitCode = report.violations.length === 0 ? 0 : 1
