/**
 * Finds out why a signature does not match, by trying common mistakes. For the log only: nothing found here makes a request
 * pass.
 */
import { fromBase64 } from "../wire/bytes.js"
import type { Mistake } from "./model.js"

/** A request whose signature matched none of the secrets. */
export interface Mismatch {
  readonly secrets: ReadonlyArray<string>
  readonly timestamp: number
  readonly mac: Uint8Array<ArrayBuffer>
  readonly deliveryId: string
  readonly body: string | Uint8Array
}

type Bytes = Uint8Array<ArrayBuffer>

const encoder = new TextEncoder()
const utf8 = (text: string): Bytes => encoder.encode(text)

/**
 * JSON with the spaces that Hookrail's database writes: one after each colon and comma, none elsewhere (protocol section
 * 4.2). `undefined` for invalid JSON. One pass, by index: a function called for each match takes ten times as long.
 */
export const withBlanks = (text: string): string | undefined => {
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  let written = ""
  let start = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === quote) {
      // Skip to the end of the string.
      while (text.charCodeAt(++index) !== quote) if (text.charCodeAt(index) === backslash) index++
    } else if (code === colon || code === comma) {
      written += `${text.slice(start, index + 1)} `
      start = index + 1
    } else if (code <= blank) {
      written += text.slice(start, index)
      start = index + 1
    }
  }
  return written + text.slice(start)
}

const [blank, quote, comma, colon, backslash] = [0x20, 0x22, 0x2c, 0x3a, 0x5c]

/** An escape that Hookrail's database would have written as the character itself (protocol section 4.2). */
const foreignEscape = /(?<!\\)(?:\\\\)*\\(?:\/|u(?!00[01]))/

/** Base64, standard or for URLs; `undefined` for anything else. */
const fromAnyBase64 = (text: string): Bytes | undefined =>
  /^[A-Za-z0-9+/_-]+={0,2}\s*$/.test(text)
    ? fromBase64(text.trim().replaceAll("-", "+").replaceAll("_", "/"))
    : undefined

/** Windows-1252 from 0x80 to 0x9f, where it differs from Latin-1. Browsers decode Latin-1 as Windows-1252. */
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"

/** The original bytes of UTF-8 text that was read as Latin-1; `undefined` if it cannot have been. */
const fromLatin1 = (text: string): Bytes | undefined => {
  if (!/[\u0080-\uffff]/.test(text)) return undefined
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    const byte = code <= 0xff ? code : windows1252.indexOf(text.charAt(index)) + 0x80
    if (byte < 0x80 && code > 0xff) return undefined
    bytes[index] = byte
  }
  return bytes
}

/** The candidates for the original body, before something changed it. */
const originals = function*(text: string, rendered: string | undefined): Generator<readonly [Mistake, Bytes]> {
  const trimmed = text.replace(/^\ufeff/, "").trim()
  if (trimmed !== text) yield ["body-trimmed", utf8(trimmed)]
  if (rendered !== undefined && rendered !== text) yield ["body-parsed", utf8(rendered)]
  const decoded = fromAnyBase64(text)
  if (decoded !== undefined) yield ["body-base64", decoded]
  const misread = fromLatin1(text)
  if (misread !== undefined) yield ["body-encoding", misread]
}

/** The candidates for the intended secret. */
const variants = function*(secret: string): Generator<readonly [Mistake, Bytes]> {
  const bare = secret.replace(/^(whsec_)+/, "")
  if (bare === "") return
  if (secret !== `whsec_${bare}`) yield ["secret-prefix", utf8(`whsec_${bare}`)]
  if (secret !== bare) yield ["secret-prefix", utf8(bare)]
  const decoded = fromAnyBase64(bare)
  if (decoded !== undefined && decoded.length > 0) yield ["secret-decoded", decoded]
}

/** The largest body that is examined, in bytes: a forged one must not cost more than a few milliseconds. */
export const largest = 64 * 1024

/** The mistake that explains a mismatch, if there is one. All candidates are tried, even after a match. */
export const findMistake = async (mismatch: Mismatch): Promise<Mistake | undefined> => {
  const { deliveryId, mac, secrets, timestamp } = mismatch
  // A character takes at least a byte: text that is too long need not be encoded first.
  if (mismatch.body.length > largest) return undefined
  const body = typeof mismatch.body === "string" ? utf8(mismatch.body) : mismatch.body
  if (body.length > largest) return undefined
  if (body.length === 0) return "body-empty"
  if (body[0] === 0x1f && body[1] === 0x8b) return "body-compressed"
  const text = typeof mismatch.body === "string"
    ? mismatch.body
    : new TextDecoder("utf-8", { ignoreBOM: true }).decode(mismatch.body)

  const head = utf8(`${timestamp}.${deliveryId}.`)
  const matches = async (secret: Bytes, message: Uint8Array): Promise<boolean> => {
    const bytes = new Uint8Array(head.length + message.length)
    bytes.set(head)
    bytes.set(message, head.length)
    const algorithm = { name: "HMAC", hash: "SHA-256" }
    const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["verify"])
    return crypto.subtle.verify("HMAC", key, mac, bytes)
  }

  const found: Array<Mistake> = []
  const rendered = withBlanks(text)
  const bodies = Array.from(originals(text, rendered))
  for (const secret of secrets) {
    for (const [mistake, original] of bodies) if (await matches(utf8(secret), original)) found.push(mistake)
    for (const [mistake, variant] of variants(secret)) if (await matches(variant, body)) found.push(mistake)
  }
  if (found[0] !== undefined) return found[0]
  if (rendered === undefined) return undefined
  // JSON without those spaces, or with escapes that Hookrail does not write, was changed on the way. What a parser has lost
  // cannot be reconstructed.
  return rendered === text && !foreignEscape.test(text) ? "secret-other" : "body-parsed"
}

const raw = "hand over the raw body, as it came"

/** What to do about each mistake. */
export const advice: { readonly [M in Mistake]: string } = {
  "body-empty": `the body is empty, so something has read it before: ${raw}`,
  "body-parsed": `the body was parsed and written again, which changes its bytes: ${raw}`,
  "body-base64": "the body is in base64: decode it first",
  "body-compressed": "the body is compressed: verify what it decompresses to",
  "body-encoding": `the body was read as Latin-1: ${raw}, or read it as UTF-8`,
  "body-trimmed": `white space or a byte order mark was added to the body: ${raw}`,
  "secret-prefix": "the secret has lost its \"whsec_\", or has it twice: give it as Hookrail shows it",
  "secret-decoded":
    "it was signed with a decoded secret, as Standard Webhooks does: Hookrail signs with the secret's text",
  "secret-other": "the body is as Hookrail wrote it, so the secret is another endpoint's, or no longer in use"
}

/** Signature headers of other products, whose webhooks may arrive at the wrong URL. */
const otherProducts: ReadonlyArray<readonly [header: string, product: string]> = [
  ["stripe-signature", "Stripe"],
  ["svix-signature", "Svix"],
  ["webhook-signature", "Standard Webhooks"],
  ["x-hub-signature-256", "GitHub"],
  ["x-hookdeck-signature", "Hookdeck"],
  ["x-convoy-signature", "Convoy"],
  ["x-inngest-signature", "Inngest"],
  ["x-slack-signature", "Slack"],
  ["x-shopify-hmac-sha256", "Shopify"],
  ["x-twilio-signature", "Twilio"]
]

/** The product that sent a request without our signature, if its headers identify it. */
export const otherProduct = (has: (header: string) => boolean): string | undefined =>
  otherProducts.find(([header]) => has(header))?.[1]
