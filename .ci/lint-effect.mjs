/**
 * The errors of the compiler, and the diagnostics of the Effect language service, from one program: the command of the language
 * service makes a new one for every 50 files of each package. Warnings fail as well.
 */
import { checkSourceFileWorker } from "@effect/language-service/effect-lsp-patch-utils.js"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const root = fileURLToPath(new URL("..", import.meta.url))
const host = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => root,
  getNewLine: () => "\n"
}

const config = ts.getParsedCommandLineOfConfigFile(`${root}tsconfig.json`, { incremental: false }, {
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
    throw new Error(ts.formatDiagnostic(diagnostic, host))
  }
})
delete config.options.tsBuildInfoFile

const program = ts.createProgram({
  rootNames: config.fileNames,
  options: config.options,
  configFileParsingDiagnostics: config.errors
})
const found = [...ts.getPreEmitDiagnostics(program)]

// What is made from the packages for Effect 3 is what they are.
const generated = /\/packages\/[^/]+-4\//
const files = config.fileNames.filter((name) => !generated.test(name))
for (const name of files) {
  // Errors and warnings alone: only to "tsc" are messages told as well.
  checkSourceFileWorker(ts, program, program.getSourceFile(name), config.options, (it) => found.push(it), "")
}

console.log(ts.formatDiagnosticsWithColorAndContext(found, host))
console.log(`${config.fileNames.length} files compiled, ${files.length} checked for Effect: ${found.length} problems`)
process.exitCode = found.length === 0 ? 0 : 1
