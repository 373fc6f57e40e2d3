import { importKey, parseSignature, sign, verify } from "hookrail/signature/kernel"
import { advice, findMistake } from "hookrail/signature/mistakes"

/** What a receiver's verifier says about a request, and why. */
export interface Diagnosis {
  /** `genuine`, or the verifier's reason for its refusal. */
  readonly verdict: "genuine" | "malformed" | "timestamp" | "mismatch"
  /** What happened. */
  readonly reason: string
  /** The mistake that explains a mismatch, if there is one, such as `body-parsed`. */
  readonly mistake: string | null
  /** What to do. */
  readonly advice: string | null
  /** When it was signed, in seconds since 1970; absent if the header says nothing. */
  readonly signedAtSeconds: number | null
  readonly ageSeconds: number | null
  /** The signature that the first secret makes of these bytes at that time. */
  readonly recomputed: string | null
}

/** A request to examine. */
export interface Examined {
  readonly secrets: ReadonlyArray<string>
  readonly signature: string
  readonly deliveryId: string
  readonly body: string | Uint8Array
  /** The receiver's time. */
  readonly nowMs: number
  readonly toleranceMs: number
}

/** Verifies as the client does, and explains a mismatch as its log does. */
export const diagnose = async (examined: Examined): Promise<Diagnosis> => {
  const { body, deliveryId, nowMs, secrets, signature, toleranceMs } = examined
  const keys = secrets.map(importKey)
  const mac = new Uint8Array(32)
  const timestamp = parseSignature(signature, mac)
  const signed = timestamp >= 0 && keys[0] !== undefined && deliveryId !== ""
  const facts = {
    signedAtSeconds: timestamp < 0 ? null : timestamp,
    ageSeconds: timestamp < 0 ? null : Math.round((nowMs - timestamp * 1000) / 1000),
    recomputed: signed ? await sign(keys[0]!, deliveryId, body, timestamp) : null
  }
  const verdict = await verify(keys, { signature, deliveryId }, body, nowMs, toleranceMs)
  if (verdict.ok) {
    return { verdict: "genuine", reason: "the signature is genuine", mistake: null, advice: null, ...facts }
  }
  switch (verdict.reason) {
    case "malformed":
      return { verdict: "malformed", reason: verdict.fields.reason, mistake: null, advice: null, ...facts }
    case "timestamp":
      return {
        verdict: "timestamp",
        reason: `signed ${Math.round(verdict.fields.ageSeconds)} s before the receiver's clock; ` +
          `at most ${verdict.fields.toleranceSeconds} s are tolerated`,
        mistake: null,
        advice: "set the receiver's clock; a captured request can be verified only with the time of its arrival",
        ...facts
      }
    case "mismatch": {
      const mistake = await findMistake({ secrets, timestamp, mac, deliveryId, body })
      return {
        verdict: "mismatch",
        reason: "none of the secrets makes this signature of these bytes",
        mistake: mistake ?? null,
        advice: mistake === undefined ? verdict.fields.reason : advice[mistake],
        ...facts
      }
    }
  }
}
