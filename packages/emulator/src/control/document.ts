import { createHash } from "node:crypto"
import type { Answer } from "../http/wire.js"
import { pageParts } from "./html.js"

const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** What every answer of the port has. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY"
}

const icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='none' " +
  "stroke='%236d5ae6' stroke-width='2.4' stroke-linecap='round' d='M4 2v12M12 2v12M4 8h8'/%3E%3C/svg%3E"

/**
 * The document: one file with script and style inside. Its policy allows these two by their hashes, and connections to this
 * server; nothing else can be loaded, run, or turned into markup.
 */
export const pageDocument = async (): Promise<Answer> => {
  const { script, style } = await pageParts()
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'"
  ].join("; ")
  return {
    status: 200,
    headers: { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy },
    body: "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">" +
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">" +
      "<meta name=\"color-scheme\" content=\"light dark\"><title>Hookrail emulator</title>" +
      `<link rel="icon" href="${icon}"><style>${style}</style></head>` +
      "<body><div id=\"app\"></div><noscript>This page needs JavaScript; its calls work without.</noscript>" +
      `<script>${script}</script></body></html>\n`
  }
}
