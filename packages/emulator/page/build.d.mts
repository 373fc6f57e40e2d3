import type { Plugin } from "esbuild"

/** The script, with the license of the library in it, and the style. */
export declare const buildPage: () => Promise<{ readonly script: string; readonly style: string }>

/** For esbuild: puts the bundle in place of the module that makes it on demand. */
export declare const bundledPage: Plugin
