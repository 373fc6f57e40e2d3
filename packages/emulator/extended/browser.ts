import chromium from "@sparticuz/chromium"
import { type Browser, chromium as driver } from "playwright-core"

/**
 * A real Chromium, from npm. Not with that package's own arguments: they switch off what keeps sites apart, which these tests
 * rely on.
 */
export const startBrowser = async (): Promise<Browser> =>
  driver.launch({
    executablePath: await chromium.executablePath(),
    // Tests run as root in containers, where Chromium has no sandbox of its own.
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none"]
  })
