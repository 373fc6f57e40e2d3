import { defineConfig, type Options } from "tsup"
import base from "../../tsup.base.js"

/** Effect 4 is ESM only. */
export default defineConfig({ ...base as Options, format: ["esm"] })
