import { defineConfig } from "vitest/config"
import { suiteOf } from "../lines/suite.js"

export default defineConfig(suiteOf("node-4"))
