/* eslint-disable no-undef -- the package manager reads it as CommonJS */
/** In a package with both lines of Effect, peers would get the one that is called `effect` there. */
const readPackage = (manifest) => {
  if (manifest.name === "@effect/sql-pg" && manifest.version.startsWith("4.")) {
    delete manifest.peerDependencies.effect
    manifest.dependencies = { ...manifest.dependencies, effect: "4.1.0" }
  }
  return manifest
}

module.exports = { hooks: { readPackage } }
