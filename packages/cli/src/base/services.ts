/** What `effect/cli` asks of a platform. It only parses here, so it needs next to nothing: no files, no prompts. */
import * as CliConfig from "effect/cli/CliConfig"
import type { BuiltIn } from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { ChildProcessSpawner, make as makeSpawner } from "effect/process/ChildProcessSpawner"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"

const never = Effect.die("the commands of hookrail do not ask for it")

export const servicesWith = (builtIns: ReadonlyArray<BuiltIn>) =>
  Layer.mergeAll(
    FileSystem.layerNoop({}),
    Path.layer,
    Stdio.layerTest({}),
    Layer.succeed(
      Terminal.Terminal,
      Terminal.make({
        columns: Effect.succeed(80),
        rows: Effect.succeed(24),
        size: never,
        readInput: never,
        readLine: never,
        display: () => never
      })
    ),
    Layer.succeed(ChildProcessSpawner, makeSpawner(() => never)),
    CliConfig.layer({ builtIns })
  )
