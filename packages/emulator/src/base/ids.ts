import type { Random } from "./random.js"

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

/**
 * A ULID: 26 characters of upper-case Crockford base 32: 10 for the milliseconds since 1970 and 16 random ones, so
 * ids of one millisecond have no order (protocol section 1.5).
 */
export const ulid = (now: number, random: Random): string => {
  let time = ""
  for (let rest = now, digit = 0; digit < 10; digit++, rest = Math.floor(rest / 32)) {
    time = crockford.charAt(rest % 32) + time
  }
  const bytes = random.bytes(16)
  let chance = ""
  for (const byte of bytes) chance += crockford.charAt(byte & 31)
  return time + chance
}

/** A credential of the given prefix: 24 random bytes in lower-case hex (protocol section 3). */
export const credential = (prefix: "hk_" | "hkadm_" | "whsec_", random: Random): string =>
  prefix + Buffer.from(random.bytes(24)).toString("hex")
