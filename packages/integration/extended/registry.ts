/** A registry on this machine, which has the packages of this workspace as a release publishes them. */
import { createHash } from "node:crypto"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { exec } from "../test/packing.js"

interface Manifest {
  readonly name: string
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly publishConfig?: { readonly tag?: string }
}

export interface Registry {
  readonly url: string
  readonly close: () => Promise<void>
}

/** A version such as `4.0.0-0` is what comes before the release. */
const released = (range: string) => range.replace(/^([\^~]?\d+\.\d+\.\d+)-\d+$/, "$1")

/** Gives a packed package its version, as a release does. */
const release = async (tarball: string, directory: string): Promise<readonly [Manifest, Buffer]> => {
  await mkdir(directory)
  await exec("tar", ["-xzf", tarball, "-C", directory], directory)
  const file = join(directory, "package/package.json")
  const packed: Manifest = JSON.parse(await readFile(file, "utf8"))
  const manifest: Manifest = {
    ...packed,
    version: released(packed.version),
    dependencies: Object.fromEntries(
      Object.entries(packed.dependencies ?? {}).map(([name, range]) => [name, released(range)])
    )
  }
  await writeFile(file, JSON.stringify(manifest, null, 2))
  await exec("tar", ["-czf", "released.tgz", "package"], directory)
  return [manifest, await readFile(join(directory, "released.tgz"))]
}

/** Has these tarballs, and sends its clients to their usual registry for all other packages. */
export const startRegistry = async (tarballs: ReadonlyArray<string>, directory: string): Promise<Registry> => {
  const elsewhere = (await exec("npm", ["config", "get", "registry"], directory)).stdout.trim().replace(/\/$/, "")
  const files = new Map<string, Buffer>()
  const documents = new Map<string, {
    readonly name: string
    readonly versions: Record<string, unknown>
    readonly "dist-tags": Record<string, string>
    readonly time: Record<string, string>
  }>()

  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://localhost").pathname)
    const file = files.get(path)
    const document = documents.get(path.slice(1))
    if (file !== undefined) response.end(file)
    else if (document !== undefined) {
      response.setHeader("Content-Type", "application/json").end(JSON.stringify(document))
    } else response.writeHead(302, { Location: `${elsewhere}${request.url}` }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  for (const [n, tarball] of tarballs.entries()) {
    const [manifest, bytes] = await release(tarball, join(directory, `release-${n}`))
    const { name, version } = manifest
    const path = `/${name}/-/${name.replace(/.*\//, "")}-${version}.tgz`
    files.set(path, bytes)
    const hash = (algorithm: string) => createHash(algorithm).update(bytes)
    const document = documents.get(name) ?? { name, versions: {}, "dist-tags": {}, time: {} }
    documents.set(name, document)
    // Yarn waits for some days before it takes a new version.
    document.time[version] = "2020-01-01T00:00:00.000Z"
    document["dist-tags"][manifest.publishConfig?.tag ?? "latest"] = version
    document.versions[version] = {
      ...manifest,
      dist: {
        tarball: `${url}${path}`,
        shasum: hash("sha1").digest("hex"),
        integrity: `sha512-${hash("sha512").digest("base64")}`
      }
    }
  }

  return {
    url,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
