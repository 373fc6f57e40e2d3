// Resolves every reference of the documentation, the sources and the tests: "protocol section 1.4" and its kin to a section
// of docs/protocol.md, ids of conformance cases and labels of server versions to their rows there, and relative links and
// anchors to files and headings. `node docs/check-references.mjs [root]`; the root is this repository by default.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = resolve(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url)))
const protocol = "docs/protocol.md"

const skipped = new Set(["node_modules", "dist", ".snippets"])

/** The files below a folder whose names match; those directly in it if `deep` is false. */
const filesIn = (folder, pattern, deep = true) =>
  !existsSync(join(root, folder)) ?
    [] :
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory()
        ? deep && !skipped.has(entry.name) ? filesIn(join(folder, entry.name), pattern) : []
        : pattern.test(entry.name)
        ? [join(folder, entry.name)]
        : []
    )

const packages = existsSync(join(root, "packages"))
  ? readdirSync(join(root, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join("packages", entry.name))
  : []

const pages = [
  ...filesIn(".", /\.md$/, false),
  ...filesIn("docs", /\.md$/),
  ...filesIn(".changeset", /\.md$/, false),
  ...packages.flatMap((folder) => filesIn(folder, /\.md$/))
]
const code = /\.[mc]?[jt]sx?$/
const sources = [
  ...filesIn("docs", code, false),
  ...filesIn("scratchpad", code),
  ...packages.flatMap((folder) => filesIn(folder, code))
]

const texts = new Map()
const read = (file) => {
  let text = texts.get(file)
  if (text === undefined) texts.set(file, text = readFileSync(join(root, file), "utf8"))
  return text
}

const problems = []
let references = 0
let links = 0

/** Reports a problem at an offset of a text. */
const report = (file, text, offset, message) => {
  problems.push({ file, line: text.slice(0, offset).split("\n").length, message })
}

/** A page without its code, every other character in its place. */
const withoutCode = (text) => {
  const blank = (part) => part.replace(/[^\n]/g, " ")
  return text
    .replace(/^([ \t]*)(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^[ \t]*\2[`~]*[ \t]*$|$(?![\s\S]))/gm, blank)
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/(?<!`)(`+)(?!`)[^\n]*?[^`\n]\1(?!`)/g, blank)
}

/** The names that a link to a page may have after its `#`: the slugs of its headings, as GitHub makes them, and its `<a id>`. */
const anchorsOf = (file) => {
  const text = read(file)
  const visible = withoutCode(text)
  const anchors = new Map()
  const add = (name, offset) => {
    if (anchors.has(name)) report(file, text, offset, `the anchor #${name} is there twice`)
    anchors.set(name, offset)
  }
  for (const { 1: name, index } of visible.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) add(name, index)
  const seen = new Map()
  for (const { index } of visible.matchAll(/^#{1,6}[ \t]+\S/gm)) {
    const title = text.slice(index, (text + "\n").indexOf("\n", index))
      .replace(/^#+\s+/, "")
      .replace(/\s+#+\s*$/, "")
      .replace(/<[^>]*>/g, "")
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    const slug = title.trim().toLowerCase().replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "").replace(/ /g, "-")
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    add(count === 0 ? slug : `${slug}-${count}`, index)
  }
  return anchors
}

const anchorsByFile = new Map()
const anchors = (file) => {
  let known = anchorsByFile.get(file)
  if (known === undefined) anchorsByFile.set(file, known = anchorsOf(file))
  return known
}

// What docs/protocol.md defines.
if (!existsSync(join(root, protocol))) {
  console.error(`${protocol} is not there`)
  process.exit(1)
}
const page = read(protocol)
const anchorOf = (section) => `s${section.replaceAll(".", "-")}`
const sections = new Set()
for (const { 1: section, index } of withoutCode(page).matchAll(/^#{2,3}[ \t]+(\d+(?:\.\d+)*)\.?[ \t]/gm)) {
  if (sections.has(section)) report(protocol, page, index, `section ${section} is there twice`)
  sections.add(section)
  if (!anchors(protocol).has(anchorOf(section))) {
    report(protocol, page, index, `section ${section} has no <a id="${anchorOf(section)}">`)
  }
}
const cases = new Map(Array.from(page.matchAll(/^\| ([CERX]\d+) \|/gm), ({ 1: id, index }) => [id, index]))
const tested = new Set()
const versions = new Set(Array.from(page.matchAll(/^\| (P\d(?:\.\d+)?) \|/gm), ([, label]) => label))

// "protocol section 1.4", "protocol sections 1.4, 2 and 3", "sections 5.2 to 5.4 of the protocol", over line breaks in
// comments, with the numbers as links or not.
const gap = String.raw`(?:[ \t]|\r?\n[ \t]*(?:\*(?!/)|//|>)?)+`
const number = String.raw`\[?[§P]?\d+(?:\.\d+)*(?:\]\([^)\s]*\))?`
const eachNumber = /(\d+(?:\.\d+)*)(?:\]\([^)\s]*\))?/g
const separator = `(?:,${gap}(?:(?:and|or)${gap})?|${gap}(?:and|or|to)${gap}|[-–])`
const list = `${number}(?:${separator}${number})*`
const one = `${number}(?:${gap}(?:and|or|to)${gap}${number})*`
const forms = [
  new RegExp(String.raw`\bprotocol(?:'s)?${gap}(?:sections\b(?:${gap}(${list}))?|section\b(?:${gap}(${one}))?)`, "gi"),
  new RegExp(String.raw`\bsections?${gap}(${list})${gap}(?:of|in)${gap}(?:the${gap})?(?:wire${gap})?protocol\b`, "gi")
]

const checkSections = (file, text) => {
  for (const form of forms) {
    for (const match of text.matchAll(form)) {
      references++
      const numbers = match[1] ?? match[2]
      if (numbers === undefined) {
        report(file, text, match.index, `"${match[0]}" names no section; write "protocol section 1.4"`)
        continue
      }
      const start = match.index + match[0].indexOf(numbers)
      for (const { 1: section, index } of numbers.matchAll(eachNumber)) {
        if (!sections.has(section)) report(file, text, start + index, `${protocol} has no section ${section}`)
      }
    }
  }
}

/** Labels such as P1, which name versions of the server, outside of code. */
const checkVersions = (file, text) => {
  for (const { 1: label, index } of text.matchAll(/(?<![\w.%-])(P\d(?:\.\d+)?)(?![\w-])/g)) {
    const line = text.slice(text.lastIndexOf("\n", index) + 1, index)
    if (code.test(file) && !/^\s*(?:\/?\*|\/\/)|\/\/|\/\*/.test(line)) continue
    if (/\bsections?\s+$/.test(line)) continue
    references++
    if (!versions.has(label)) {
      report(
        file,
        text,
        index,
        `${protocol} has no server version ${label}; for a section write "protocol section 1.4"`
      )
    }
  }
}

const checkCases = (file, text) => {
  for (const { 1: id, index } of text.matchAll(/(?<![\w%\\$#+.-])([CERX]\d{1,3})(?![\w%.-])/g)) {
    references++
    if (!cases.has(id)) report(file, text, index, `${protocol} has no case ${id}`)
    tested.add(id)
  }
  for (const { 1: section, index } of text.matchAll(/\bsection: "([^"]*)"/g)) {
    references++
    if (!sections.has(section)) report(file, text, index, `${protocol} has no section ${section}`)
  }
}

/** Pages that sources name, in comments and messages. */
const checkMentions = (file, text) => {
  for (const { 1: target, 2: anchor, index } of text.matchAll(/\b(docs\/[\w-]+\.md)(?:#([\w-]+))?/g)) {
    references++
    if (!existsSync(join(root, target))) report(file, text, index, `${target} is not there`)
    else if (anchor !== undefined && !anchors(target).has(anchor)) {
      report(file, text, index, `${target} has no anchor #${anchor}`)
    }
  }
}

const checkLink = (file, text, offset, target) => {
  if (/^(?:[a-z][a-z\d+.-]*:|\/\/)/i.test(target)) return
  links++
  const [path, anchor] = target.split("#", 2)
  let to = file
  if (path !== "") {
    to = relative(root, resolve(root, dirname(file), decodeURIComponent(path)))
    if (to.startsWith("..") || !existsSync(join(root, to))) return report(file, text, offset, `${target} leads nowhere`)
    if (statSync(join(root, to)).isDirectory()) to = join(to, "README.md")
  }
  if (anchor === undefined || anchor === "") return
  if (!to.endsWith(".md") || !existsSync(join(root, to))) {
    return report(file, text, offset, `${target} is no page with anchors`)
  }
  if (!anchors(to).has(decodeURIComponent(anchor))) report(file, text, offset, `${to} has no anchor #${anchor}`)
}

const checkLinks = (file, text) => {
  const visible = withoutCode(text)
  for (const { 1: target, index } of visible.matchAll(/\]\(\s*<?([^()\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)) {
    checkLink(file, text, index, target)
  }
  for (const { 1: target, index } of visible.matchAll(/^[ \t]*\[[^\]]+\]:[ \t]+<?([^\s>]+)/gm)) {
    checkLink(file, text, index, target)
  }
  for (const { 1: target, index } of visible.matchAll(/\s(?:href|src)="([^"]+)"/g)) checkLink(file, text, index, target)
  // A link that is called by a number has to lead there.
  for (
    const { 1: section, 2: anchor, index } of visible.matchAll(
      /\[(?:[^\]]*\bsection )?(\d+(?:\.\d+)*)\]\([^)\s]*#(s\d[\d-]*)\)/g
    )
  ) {
    if (anchor !== anchorOf(section)) report(file, text, index, `a link called ${section} leads to #${anchor}`)
  }
}

for (const file of pages) {
  const text = read(file)
  checkLinks(file, text)
  checkSections(file, text)
  checkVersions(file, withoutCode(text))
  anchors(file)
}
// These two are about the forms themselves, and so have some that lead nowhere.
const exempt = new Set(["docs/check-references.mjs", "packages/integration/test/references.test.ts"])
for (const file of sources) {
  if (exempt.has(file)) continue
  const text = read(file)
  checkSections(file, text)
  checkVersions(file, text)
  checkMentions(file, text)
  if (/^packages\/[^/]+\/test\//.test(file)) checkCases(file, text)
}

for (const [id, index] of cases) {
  if (!tested.has(id)) report(protocol, page, index, `no test names the case ${id}`)
}

for (const [what, found] of [["sections", sections.size], ["references", references], ["links", links]]) {
  if (found === 0) {
    problems.push({ file: protocol, line: 1, message: `no ${what} found: something is wrong with this script` })
  }
}

problems.sort((a, b) => a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line)
for (const { file, line, message } of problems) console.error(`${file}:${line}: ${message}`)
console.log(`${references} references and ${links} links checked, ${problems.length} problems`)
process.exit(problems.length === 0 ? 0 : 1)
