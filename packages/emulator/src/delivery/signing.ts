import { createHmac } from "node:crypto"

/**
 * The value of `hookrail-signature` for one attempt. The key is every byte of the secret, `whsec_` included; the time
 * is in whole seconds since 1970 (protocol section 4.3).
 */
export const signature = (secret: string, seconds: number, deliveryId: string, body: string | Uint8Array): string =>
  `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${deliveryId}.`).update(body).digest("hex")}`
