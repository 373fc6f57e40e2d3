// Every check of `npm test`, as stages that run next to each other, then the tests. Prints how long each stage took.
import { spawn } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))
const atOnce = Math.min(Math.max(availableParallelism(), 2), 4)

const manifest = (folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"))

/** A stage runs a script of a package.json, without the start of a package manager around it. */
const stage = (folder, script, after = []) => ({
  name: folder === "." ? script : `${script} ${folder}`,
  cwd: join(root, folder),
  command: manifest(folder).scripts[script],
  after
})

const packages = readdirSync(join(root, "packages"))
  .map((name) => `packages/${name}`)
  .filter((folder) => existsSync(join(root, folder, "package.json")))
  .map((folder) => ({ folder, ...manifest(folder) }))

/** The names of the packages of this workspace that a package needs; one may have another name there. */
const needed = ({ dependencies, devDependencies, peerDependencies }) =>
  Object.entries({ ...peerDependencies, ...dependencies, ...devDependencies })
    .filter(([, range]) => range.startsWith("workspace:"))
    .map(([name, range]) => /^workspace:(.+)@/.exec(range)?.[1] ?? name)

const builds = packages.filter(({ scripts }) => scripts?.build !== undefined).map((it) =>
  stage(
    it.folder,
    "build",
    packages.filter(({ name, scripts }) => scripts?.build !== undefined && needed(it).includes(name))
      .map(({ folder }) => `build ${folder}`)
  )
)

// The long ones first: what is left for the end should be short.
const checks = [
  ...builds,
  // The first one does what `typecheck` does, too.
  ...["lint:effect", "lint", "check:docs", "test:types", "check:lock"].map((script) => stage(".", script))
]

const seconds = (since) => (performance.now() - since) / 1000

/** Runs a stage to its end; never rejects. */
const run = ({ command, cwd, name }, show = () => {}) =>
  new Promise((resolve) => {
    const start = performance.now()
    const child = spawn(command, { cwd, shell: true, stdio: ["ignore", "pipe", "pipe"], env: process.env })
    let output = ""
    const take = (text) => {
      output += text
      show(text)
    }
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", take)
    const end = (result) => resolve({ name, output, result, time: seconds(start) })
    child.once("error", (error) => {
      take(`${error}\n`)
      end("failed")
    })
    child.once("close", (code) => end(code === 0 ? "passed" : "failed"))
  })

const tell = ({ name, output, result, time }) => {
  console.log(`${result} ${name} (${time.toFixed(1)} s)`)
  if (result === "failed") console.log(`\n${output.trimEnd()}\n`)
}

/** Runs all stages, `atOnce` at a time, each after the ones that it needs; a failure stops only what needs it. */
const runAll = (stages) =>
  new Promise((resolve) => {
    const waiting = [...stages]
    const results = new Map()
    let running = 0
    const finish = (result) => {
      results.set(result.name, result)
      tell(result)
    }
    const next = () => {
      for (const it of [...waiting]) {
        const needed = it.after.map((name) => results.get(name))
        if (needed.some((result) => result !== undefined && result.result !== "passed")) {
          waiting.splice(waiting.indexOf(it), 1)
          finish({ name: it.name, output: "", result: "not run", time: 0 })
          return next()
        }
        if (running === atOnce || needed.includes(undefined)) continue
        waiting.splice(waiting.indexOf(it), 1)
        running++
        void run(it).then((result) => {
          running--
          finish(result)
          next()
        })
      }
      if (running === 0) {
        if (waiting.length > 0) throw new Error(`a circle of stages: ${waiting.map(({ name }) => name).join(", ")}`)
        resolve([...results.values()])
      }
    }
    next()
  })

const start = performance.now()
const results = await runAll(checks)

// After the checks, as they look at sockets and time. Some need the builds, none the other checks: they run whatever came before.
const suites = [await run(stage(".", "test:unit"), (text) => process.stdout.write(text))]
// These two leave a core idle, each by itself.
const lines = ["packages/hookrail-4", "packages/node-4"].map((folder) => run(stage(folder, "test:unit")))
for (const suite of await Promise.all(lines)) {
  console.log(`\n${suite.output.trimEnd()}\n`)
  suites.push(suite)
}
results.push(...suites)

const width = Math.max(...results.map(({ name }) => name.length))
console.log(`\n${"stage".padEnd(width)}  seconds`)
for (const { name, result, time } of results) {
  console.log(`${name.padEnd(width)}  ${time.toFixed(1).padStart(7)}${result === "passed" ? "" : `  ${result}`}`)
}
console.log(`${"all".padEnd(width)}  ${seconds(start).toFixed(1).padStart(7)}\n`)

/** How many tests passed, failed and were skipped, as the summary of a run says. */
const countsOf = ({ output }) => {
  const line = /^ *Tests +(.*)$/m.exec(stripVTControlCharacters(output))?.[1] ?? ""
  return ["passed", "failed", "skipped"].map((kind) => Number(new RegExp(`(\\d+) ${kind}`).exec(line)?.[1] ?? 0))
}

// One line closes the whole run; a check that did not pass counts as one more failure. So does a run of tests that broke down
// without a failed test.
const counts = suites.map((run) => ({ run, counts: countsOf(run) }))
const [passed, failed, skipped] = [0, 1, 2].map((n) => counts.reduce((sum, { counts }) => sum + counts[n], 0))
const missed = results.filter(({ result }) => result !== "passed").length
const counted = counts.filter(({ counts, run }) => run.result === "failed" && counts[1] > 0).length
console.log(`${passed} passed, ${failed + missed - counted} failed, ${skipped} skipped`)
process.exitCode = missed === 0 ? 0 : 1
