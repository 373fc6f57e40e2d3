import { mkdir, symlink } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { assert, it } from "vitest"
import { Home, lines } from "./utils/command.js"

/** A user's folder in which a driver is installed. */
const withDriver = async (home: Home): Promise<string> => {
  await mkdir(`${home.path}/node_modules`)
  const driver = fileURLToPath(new URL("../../outbox/node_modules/libsql", import.meta.url))
  await symlink(driver, `${home.path}/node_modules/libsql`)
  return `${home.path}/app.db`
}

it("outbox looks after the tables in the user's database, with the user's driver", async () => {
  await using home = await Home.make()
  const env = { HOOKRAIL_DATABASE_URL: `sqlite:${await withDriver(home)}` }
  const run = (...args: ReadonlyArray<string>) => home.run(["outbox", ...args, "--format", "json"], { env })
  const before = await run("status")
  assert.deepStrictEqual([before.code, before.stdout], [2, ""])
  assert.match(lines(before.stderr)[0].error.message, /names a file that is not there/)
  const [{ applied }] = lines((await run("migrate")).stdout)
  assert.strictEqual(applied[0], 1)
  assert.deepStrictEqual(lines((await run("migrate")).stdout), [{ applied: [] }])
  const [status, list, blocked, retry] = await Promise.all([
    run("status"),
    run("list"),
    run("blocked"),
    run("retry", "k_1")
  ])
  assert.deepInclude(lines(status.stdout)[0], { tables: "current", pending: 0, parked: 0, dead: 0 })
  assert.deepStrictEqual([status.code, list.code, list.stdout, blocked.code, blocked.stdout], [0, 0, "", 0, ""])
  assert.deepStrictEqual([retry.code, lines(retry.stderr)[0].error.exitCode], [4, 4])
})

it("outbox prints the migrations, and says what is missing", async () => {
  await using home = await Home.make()
  const [sql, none, driver, group] = await Promise.all([
    home.run(["outbox", "sql", "--dialect", "postgres"]),
    home.run(["outbox", "status"]),
    home.run(["outbox", "status", "--database", "postgres://user:pass@127.0.0.1:1/x"]),
    home.run(["outbox"])
  ])
  assert.match(sql.stdout, /create table if not exists hookrail_outbox/i)
  assert.strictEqual(none.code, 2)
  assert.match(none.stderr, /^hookrail: The option --database is missing, and so is HOOKRAIL_DATABASE_URL[^\n]*\n$/)
  assert.match(driver.stderr, /^hookrail: [^\n]+\n$/)
  assert.notInclude(driver.stderr, "pass")
  // Nobody can look at a cause here, and there is no transaction.
  assert.notMatch(driver.stderr, /cause|roll it back/)
  assert.strictEqual(group.code, 2)
  assert.match(group.stderr, /hookrail: hookrail outbox needs one of its commands\n$/)
})
