/** `npm run build` of this package. */
import { build } from "esbuild"
import { rm } from "node:fs/promises"
import { thirdPartyNotices } from "../promise/notices.js"
import { bundle } from "./bundle.js"

const notices = thirdPartyNotices()
await rm("dist", { recursive: true, force: true })
await build({ ...bundle, plugins: [...bundle.plugins, notices.plugin], logLevel: "warning" })
await notices.write("dist/THIRD-PARTY-NOTICES.txt")
