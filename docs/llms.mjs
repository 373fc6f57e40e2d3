// Makes `llms.txt` for coding agents from the table in docs/README.md: `node docs/llms.mjs`.
//
// `--check` only says whether it is current. `--full <file>` writes all pages into one file, which the packages ship: their
// `prepack` runs it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, posix, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const read = (path) => readFileSync(join(root, path), "utf8")

/** What nobody needs who uses the packages. */
const leftOut = ["docs/performance.md", "docs/for-readers-of-the-code.md"]

/** Rows of the table: the pages, by their path from the root, and what they are about. */
const rows = [...read("docs/README.md").matchAll(/^\| (\[.*?) \| (.*) \|$/gm)].map(([, links, about]) => ({
  pages: [...links.matchAll(/\]\(([^)]+\.md)\)/g)].map(([, path]) => posix.join("docs", path)),
  about: about.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
}))
const pages = rows.flatMap(({ pages }) => pages)

const published = readdirSync(join(root, "packages"))
  .map((folder) => ({ folder: `packages/${folder}`, ...JSON.parse(read(`packages/${folder}/package.json`)) }))
  .filter((manifest) => manifest.private !== true)

const linesOf = (all) =>
  all.flatMap(({ about, pages }) => pages.map((path) => `- [${posix.basename(path, ".md")}](${path}): ${about}`))
const isOptional = ({ pages }) => pages.every((path) => leftOut.includes(path) || path === "docs/protocol.md")

const index = `# Hookrail for TypeScript

> Send events to a Hookrail webhook delivery server, follow their deliveries, receive the webhooks, and test all of it with an
> in-process server. For Effect 4, Effect 3 and plain TypeScript.

Start with the AGENTS.md of the package that the program uses: it is also in the published package. \`llms-full.txt\` in the
packages \`hookrail\` and \`@hookrail/promise\` holds all pages.

## Packages

${published.map(({ description, folder, name }) => `- [${name}](${folder}/AGENTS.md): ${description}`).join("\n")}

## Documentation

- [README](README.md): packages, quick starts, table of errors, troubleshooting
${linesOf(rows.filter((row) => !isOptional(row))).join("\n")}

## Optional

${linesOf(rows.filter(isOptional)).join("\n")}
- [CONTRIBUTING](CONTRIBUTING.md): how to work on this repository
`

const [option, file] = process.argv.slice(2)
if (option === "--full") {
  if (file === undefined) throw new Error("--full needs a file")
  const all = ["README.md", ...pages.filter((path) => !leftOut.includes(path))]
  const sections = [...new Set(all)].map((path) => `<!-- ${path} -->\n\n${read(path).trim()}\n`)
  writeFileSync(resolve(file), sections.join("\n"))
} else if (option === "--check") {
  let current = ""
  try {
    current = read("llms.txt")
  } catch {
    // It was never made.
  }
  if (current !== index) {
    console.error("llms.txt is not current: run node docs/llms.mjs")
    process.exit(1)
  }
  console.log(`llms.txt is current: ${pages.length} pages`)
} else if (option === undefined) {
  writeFileSync(join(root, "llms.txt"), index)
} else {
  throw new Error(`there is no option ${option}: see ${dirname(process.argv[1])}/llms.mjs`)
}
