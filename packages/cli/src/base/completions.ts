/** Completion scripts that know the flags of all commands, too: those of `effect/cli` have each command's own alone. */
import * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import type * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Option from "effect/Option"

type Descriptor = Completions.CommandDescriptor

const withFlags = (command: Descriptor, flags: Descriptor["flags"]): Descriptor => ({
  ...command,
  flags: [...command.flags, ...flags.filter(({ name }) => command.flags.every((own) => own.name !== name))],
  subcommands: command.subcommands.map((subcommand) => withFlags(subcommand, flags))
})

const descriptorsOf = (flags: ReadonlyArray<Flag.Flag<unknown>>): Descriptor["flags"] =>
  Completions.fromCommand(Command.make("all", Object.fromEntries(flags.map((flag, n) => [n, flag])))).flags

/** `--completions <shell>`; `flags` are those that all commands have besides. */
export const completions = (flags: ReadonlyArray<Flag.Flag<unknown>>): GlobalFlag.BuiltIn => {
  const flag = GlobalFlag.Completions.flag
  return GlobalFlag.Action({
    flag,
    run: (shell, { command }) =>
      Console.log(Option.match(shell, {
        onNone: () => "",
        onSome: (shell) => {
          const all = descriptorsOf([GlobalFlag.Help.flag, GlobalFlag.Version.flag, flag, ...flags])
          return Completions.generate(command.name, shell, withFlags(Completions.fromCommand(command), all))
        }
      }))
  })
}
