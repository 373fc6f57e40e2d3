import { readFileSync } from "node:fs"

const read = (name: string): Buffer => readFileSync(new URL(`./tls/${name}`, import.meta.url))
const text = (name: string): string => read(name).toString()

/** Made by `tls/generate.sh`. */
export const tls = {
  ca: text("ca.pem"),
  /** For hooks.test, localhost and 127.0.0.1. */
  server: { cert: text("server.pem"), key: text("server-key.pem") },
  /** For other.test. */
  other: { cert: text("other.pem"), key: text("other-key.pem") },
  client: { cert: text("client.pem"), key: text("client-key.pem") },
  encryptedKey: text("client-key-encrypted.pem"),
  pfx: new Uint8Array(read("client.pfx")),
  passphrase: "open-sesame"
}
