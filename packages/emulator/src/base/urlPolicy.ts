import { BlockList, isIP } from "node:net"

/** Which endpoint URLs are accepted, at registration and again when connecting (protocol section 5.4). */
export interface UrlPolicy {
  /** Accept plain http. */
  readonly allowHttp: boolean
  /** Address ranges that are accepted although they are private, in CIDR notation; `true` accepts every address. */
  readonly allowCidrs: ReadonlyArray<string> | true
}

/** Accepts http and every address: what a test on one machine needs, and the emulator's default. */
export const openPolicy: UrlPolicy = { allowHttp: true, allowCidrs: true }

/** The server's own policy: https and public addresses only (protocol section 5.4). */
export const strictUrlPolicy: UrlPolicy = { allowHttp: false, allowCidrs: [] }

const listOf = (cidrs: ReadonlyArray<string>): BlockList => {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = "", prefix] = cidr.split("/")
    const family = isIP(address)
    if (family !== 0) {
      list.addSubnet(address, Number(prefix ?? (family === 4 ? 32 : 128)), family === 4 ? "ipv4" : "ipv6")
    }
  }
  return list
}

let refused: BlockList | undefined
const refusedRanges = (): BlockList =>
  refused ??= listOf([
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8"
  ])

const unmap = (address: string): string => {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (dotted !== null) return dotted[1]!
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address)
  if (hex === null) return address
  const [high, low] = [parseInt(hex[1]!, 16), parseInt(hex[2]!, 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join(".")
}

/** Whether a policy lets deliveries go to an IP address. */
export const addressAllowed = (policy: UrlPolicy, address: string): boolean => {
  if (policy.allowCidrs === true) return true
  const plain = unmap(address)
  const family = isIP(plain) === 6 ? "ipv6" : "ipv4"
  return !refusedRanges().check(plain, family) || listOf(policy.allowCidrs).check(plain, family)
}

/** Names that always mean this machine. */
const isLocalhost = (host: string): boolean => /^(.*\.)?localhost\.?$/.test(host)

/**
 * Whether an endpoint URL may be registered. The server also asks its resolver for the addresses of a host name; the
 * emulator asks none, so that tests need no network, and knows only `localhost`. Other names pass, and their addresses
 * are checked when connecting.
 */
export const urlAllowed = (policy: UrlPolicy, text: string): boolean => {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return false
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && policy.allowHttp)) return false
  if (url.username !== "" || url.password !== "" || url.hostname === "") return false
  const host = url.hostname.replace(/^\[|\]$/g, "")
  if (isLocalhost(host)) return addressAllowed(policy, "127.0.0.1")
  return isIP(host) === 0 || addressAllowed(policy, host)
}
