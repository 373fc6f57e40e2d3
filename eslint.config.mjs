import effectPlugin from "@effect/eslint-plugin"
import js from "@eslint/js"
import { defineConfig } from "eslint/config"
import { readFileSync } from "node:fs"
import tseslint from "typescript-eslint"

const nodeGlobals = {
  Buffer: "readonly",
  console: "readonly",
  performance: "readonly",
  process: "readonly",
  URL: "readonly"
}

/** What Git ignores in packages for Effect 4: what is made from modules for Effect 3. The rest is written by hand. */
const generated = ["packages/hookrail-4", "packages/node-4", "packages/outbox"].flatMap((folder) =>
  readFileSync(new URL(`${folder}/.gitignore`, import.meta.url), "utf8")
    .split("\n")
    .filter((line) => /^!?\//.test(line))
    .map((line) => line.replace("/", `${folder}/`))
)

export default defineConfig(
  { ignores: ["**/dist/**", "**/coverage/**", "docs/**/.snippets/**", "scratchpad/next/.next/**"] },
  { ignores: generated },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  ...effectPlugin.configs.dprint,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@effect/dprint": ["error", {
        config: {
          indentWidth: 2,
          lineWidth: 120,
          semiColons: "asi",
          quoteStyle: "alwaysDouble",
          trailingCommas: "never",
          operatorPosition: "maintain",
          "arrowFunction.useParentheses": "force"
        }
      }]
    }
  },
  {
    files: ["**/*.ts", "**/*.mts"],
    // Projects of their own, with dependencies that this workspace does not have.
    ignores: ["scratchpad/*/**"],
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-console": "error",
      "no-control-regex": "off",
      "require-yield": "off",
      "@typescript-eslint/array-type": ["error", { default: "generic", readonly: "generic" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-empty-object-type": "off",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-namespace": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }]
    }
  },
  {
    // Library code imports modules by path (cold start), and takes time and randomness from Effect (tests).
    files: ["packages/{hookrail,hookrail-4,node,promise}/src/**/*.ts"],
    rules: {
      "@effect/no-import-from-barrel-package": ["error", { packageNames: ["effect", "@effect/platform"] }],
      "no-restricted-properties": ["error", { object: "Date", property: "now", message: "Use Effect's Clock." }, {
        object: "Math",
        property: "random",
        message: "Use Effect's Random."
      }]
    }
  },
  {
    // Without Effect, outside of the adapters: `test/house.test.ts` of the package.
    files: ["packages/outbox/src/**/*.ts"],
    rules: {
      "@effect/no-import-from-barrel-package": ["error", {
        packageNames: ["effect", "@effect/platform", "@effect/sql"]
      }]
    }
  },
  {
    // The core runs anywhere.
    files: ["packages/{hookrail,hookrail-4}/src/**/*.ts"],
    rules: {
      "no-restricted-imports": ["error", { patterns: [{ group: ["node:*"], message: "The core runs anywhere." }] }]
    }
  },
  {
    files: ["docs/**", "scratchpad/**", "**/bench/**", "**/bin/**", "**/*.mjs"],
    rules: { "no-console": "off" },
    languageOptions: { globals: nodeGlobals }
  },
  {
    files: ["packages/integration/test/runtimes/*.mjs"],
    languageOptions: { globals: { Bun: "readonly", Deno: "readonly", Response: "readonly" } }
  }
)
