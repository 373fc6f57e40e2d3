/** Set by the build to the version in package.json. */
declare const HOOKRAIL_VERSION: string | undefined

export const version: string = typeof HOOKRAIL_VERSION === "string" ? HOOKRAIL_VERSION : "dev"
