/** The script behind `check:docs` that resolves references, on small trees of its own: it has to find what is wrong. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const script = fileURLToPath(new URL("../../../docs/check-references.mjs", import.meta.url))

const protocol = `# The wire protocol

| P1 | abc | admin API |

<a id="s1"></a>

## 1. Sending

<a id="s1-4"></a>

### 1.4 Answers

<a id="s2"></a>

## 2. Status

See [1.4](#s1-4) and [status](#2-status).

| E4 | a case |
`

/** Runs the script over a tree of files: its exit code, and the problems it reports. */
const check = (files: Readonly<Record<string, string>>) => {
  const root = mkdtempSync(join(tmpdir(), "hookrail-references-"))
  try {
    for (const [file, text] of Object.entries({ "docs/protocol.md": protocol, ...good, ...files })) {
      mkdirSync(dirname(join(root, file)), { recursive: true })
      writeFileSync(join(root, file), text)
    }
    const { status, stderr } = spawnSync(process.execPath, [script, root], { encoding: "utf8" })
    return { status, problems: stderr.split("\n").filter((line) => line !== "") }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const good = {
  "README.md":
    "[Answers](docs/protocol.md#s1-4), [more](docs/). `[code](nowhere.md)`\n\n```md\n[code](nowhere.md)\n```\n",
  "docs/README.md":
    "# Pages\n\n[protocol section 1.4](protocol.md#s1-4), [up](../README.md), [site](https://a.test/x#y)\n",
  "packages/a/src/a.ts":
    "/**\n * Servers before P1, protocol sections 1.4, 2\n * and 1 (protocol\n * section\n * 1.4).\n */\n",
  "packages/a/test/a.test.ts":
    "it(\"E4: protocol section 2\", () => {})\n// section: \"1.4\" of the protocol, docs/README.md#pages\n"
}

describe("check-references", () => {
  it("is content where everything leads somewhere", () => {
    assert.deepStrictEqual(check({}), { status: 0, problems: [] })
  })

  const wrong: ReadonlyArray<readonly [title: string, file: string, text: string, problem: string]> = [
    [
      "a section that is not there",
      "packages/a/src/b.ts",
      "\n// (protocol section 1.9)\n",
      "2: docs/protocol.md has no section 1.9"
    ],
    [
      "one of a list",
      "packages/a/src/b.ts",
      "// protocol sections 1.4, 7 and 2\n",
      "1: docs/protocol.md has no section 7"
    ],
    [
      "the end of a list, over a line break",
      "packages/a/dtslint/b.tst.ts",
      "/**\n * protocol sections 1.4, 2 and\n * 3.1.\n */\n",
      "3: docs/protocol.md has no section 3.1"
    ],
    ["the end of a range", "scratchpad/b.mjs", "// protocol sections 1 to 4\n", "1: docs/protocol.md has no section 4"],
    [
      "a number on the next line",
      "packages/a/src/b.ts",
      "// protocol section\n// 3.\n",
      "2: docs/protocol.md has no section 3"
    ],
    [
      "a number in front",
      "CONTRIBUTING.md",
      "See section 5 of the protocol.\n",
      "1: docs/protocol.md has no section 5"
    ],
    [
      "a number with a P",
      "packages/a/src/b.ts",
      "// protocol section P1.5\n",
      "1: docs/protocol.md has no section 1.5"
    ],
    [
      "no number",
      "docs/b.md",
      "a protocol section\n",
      "1: \"protocol section\" names no section; write \"protocol section 1.4\""
    ],
    [
      "a version that is not there",
      "packages/a/src/b.ts",
      "/** Since P7. */\n",
      "1: docs/protocol.md has no server version P7; for a section write \"protocol section 1.4\""
    ],
    [
      "a case that is not there",
      "packages/a/test/b.test.ts",
      "it(\"E5: no\", () => {})\n",
      "1: docs/protocol.md has no case E5"
    ],
    [
      "a case that no test names",
      "docs/protocol.md",
      `${protocol}| X5 | another case |\n`,
      `${protocol.split("\n").length}: no test names the case X5`
    ],
    [
      "a section of a case",
      "packages/a/test/conformance/b.ts",
      "const one = { section: \"1.7\" }\n",
      "1: docs/protocol.md has no section 1.7"
    ],
    ["a page that a source names", "packages/a/src/b.ts", "// docs/gone.md\n", "1: docs/gone.md is not there"],
    ["a link to no file", "docs/b.md", "# B\n\n[x](gone.md)\n", "3: gone.md leads nowhere"],
    ["a link out of the repository", "docs/b.md", "[x](../../b.md)\n", "1: ../../b.md leads nowhere"],
    [
      "a link to no anchor",
      "packages/a/README.md",
      "[x](../../docs/protocol.md#s3)\n",
      "1: docs/protocol.md has no anchor #s3"
    ],
    ["a link to no anchor of its own", "docs/b.md", "# B\n\n[x](#c)\n", "3: docs/b.md has no anchor #c"],
    ["a definition", "docs/b.md", "[x][y]\n\n[y]: gone.md\n", "3: gone.md leads nowhere"],
    [
      "a link to another section than it says",
      "docs/b.md",
      "[protocol section 2](protocol.md#s1-4)\n",
      "1: a link called 2 leads to #s1-4"
    ],
    [
      "a section without an anchor",
      "docs/protocol.md",
      `${protocol}\n## 3. More\n`,
      `${protocol.split("\n").length + 1}: section 3 has no <a id="s3">`
    ],
    [
      "an anchor that is there twice",
      "docs/b.md",
      "<a id=\"x\"></a>\n<a id=\"x\"></a>\n",
      "2: the anchor #x is there twice"
    ]
  ]

  it.each(wrong)("reports %s", (_, file, text, problem) => {
    assert.deepStrictEqual(check({ [file]: text }), { status: 1, problems: [`${file}:${problem}`] })
  })
})
