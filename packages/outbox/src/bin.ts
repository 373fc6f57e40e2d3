/** The command `hookrail-relay`. See `command/main.ts`. */
import { main } from "./command/main.js"

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})
