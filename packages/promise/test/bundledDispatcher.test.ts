/** The tests of dispatchers once more, over the bundle. Alone, because loading undici changes the global `fetch`. */
import { afterAll, vi } from "vitest"
import { remove } from "./bundled.js"

const load = vi.hoisted(() => async (name: string) => ({ ...await (await import("./bundled.js")).entry(name) }))

vi.mock("../src/admin.js", () => load("admin"))
vi.mock("../src/errors.js", () => load("errors"))
vi.mock("../src/index.js", () => load("index"))
vi.mock("../src/web.js", () => load("web"))

afterAll(remove)

await import("./dispatcher.test.js")
