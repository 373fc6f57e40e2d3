/**
 * Checks and parses certificates and keys once: parsing them per connection is slow, and `node:tls` silently ignores an invalid
 * `ca`.
 */
import type * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { HookrailConfigError } from "hookrail/HookrailError"
import type { KeyObject, X509Certificate } from "node:crypto"
import type { SecureContext, SecureContextOptions } from "node:tls"
import { checked, wrong } from "./checked.js"

/** PEM, as read from a file. */
export type Pem = string | Uint8Array

export interface CertificateOptions {
  readonly ca?: Pem | ReadonlyArray<Pem> | undefined
  readonly cert?: Pem | undefined
  readonly key?: Pem | Redacted.Redacted<string> | undefined
  readonly passphrase?: string | Redacted.Redacted<string> | undefined
  readonly pfx?: Uint8Array | undefined
}

/** `undefined` means Node's defaults. */
export interface SecureContexts {
  readonly server: SecureContext | undefined
  /** Without the client certificate: a proxy must not see it. */
  readonly proxy: SecureContext | undefined
}

/** Loaded on demand: most transports have no certificates of their own, and many have no TLS. */
const crypto = () => process.getBuiltinModule("node:crypto")
const tls = () => process.getBuiltinModule("node:tls")

const textOf = (option: string, input: unknown): string => {
  const value = Redacted.isRedacted(input) ? Redacted.value(input) : input
  if (typeof value === "string") return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1")
  throw wrong(option, "must be text or bytes")
}

const certificatePattern =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g

const certificatesOf = (option: string, pem: string): ReadonlyArray<X509Certificate> => {
  const blocks = pem.match(certificatePattern)
  if (blocks === null) {
    throw wrong(
      option,
      "has no certificate in PEM (\"-----BEGIN CERTIFICATE-----\"): give the content of the file, not its name"
    )
  }
  const { X509Certificate } = crypto()
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw wrong(option, `its certificate number ${index + 1} cannot be read: is it whole?`)
    }
  })
}

const keyOf = (key: string, passphrase: string | undefined): KeyObject => {
  // The codes of OpenSSL's errors differ between versions; the text of the key does not.
  const isEncrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(key)
  if (isEncrypted && passphrase === undefined) throw wrong("passphrase", "is missing: `key` is encrypted")
  try {
    return crypto().createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) })
  } catch {
    if (isEncrypted) throw wrong("passphrase", "does not open `key`")
    throw wrong("key", "is no private key in PEM that can be read: give the content of the file, not its name")
  }
}

/** Fails with the name of an invalid option, never with its value. */
export const secureContexts = (options: CertificateOptions): Effect.Effect<SecureContexts, HookrailConfigError> =>
  checked(() => contextsOf(options))

const contextsOf = (options: CertificateOptions): SecureContexts => {
  const passphrase = options.passphrase === undefined ? undefined : textOf("passphrase", options.passphrase)
  const { pfx } = options
  const key = options.key === undefined ? undefined : textOf("key", options.key)
  const cert = options.cert === undefined ? undefined : textOf("cert", options.cert)
  const ca = options.ca === undefined
    ? undefined
    : (Array.isArray(options.ca) ? options.ca : [options.ca]).map((pem) => textOf("ca", pem))

  ca?.forEach((pem) => certificatesOf("ca", pem))
  if (ca?.length === 0) throw wrong("ca", "is empty: then no server could be trusted")
  if (cert !== undefined && key === undefined) throw wrong("key", "is missing: `cert` needs it")
  if (key !== undefined && cert === undefined) throw wrong("cert", "is missing: `key` needs it")
  if (passphrase !== undefined && key === undefined && pfx === undefined) {
    throw wrong("passphrase", "there is no `key` or `pfx` that it could open")
  }
  if (cert !== undefined && key !== undefined) {
    const [own] = certificatesOf("cert", cert)
    if (!own!.checkPrivateKey(keyOf(key, passphrase))) {
      throw wrong("key", "does not belong to the first certificate of `cert`")
    }
  }
  if (pfx !== undefined && !(pfx instanceof Uint8Array)) throw wrong("pfx", "must be bytes")

  const trusted = ca === undefined ? {} : { ca }
  const proxy = ca === undefined ? undefined : contextOf("ca", trusted)
  if (cert === undefined && pfx === undefined) return { server: proxy, proxy }
  const server = contextOf(pfx === undefined ? "cert" : "pfx", {
    ...trusted,
    ...(cert === undefined ? {} : { cert, key }),
    ...(pfx === undefined ? {} : { pfx: Buffer.from(pfx) }),
    ...(passphrase === undefined ? {} : { passphrase })
  })
  return { server, proxy }
}

const contextOf = (option: string, options: SecureContextOptions): SecureContext => {
  try {
    return tls().createSecureContext(options)
  } catch {
    throw wrong(
      option,
      option === "pfx" ? "cannot be read, or `passphrase` does not open it" : "is refused by node:tls"
    )
  }
}
