/** Completion for fish: one line for each thing that may stand somewhere, with the condition for it. */
import { type CommandWord, generalOptions, type OptionWord, type Place, quote } from "./words.ts";

/** @returns a script for ~/.config/fish/completions/kgr.fish, or for `source` */
export function fishCompletion(commands: readonly CommandWord[]): string {
  const lines = [
    "# fish completion for kgr",
    "function __kgr_installed",
    "  ls /usr/lib/modules/(uname -r)/updates/kgraft 2>/dev/null | sed -n 's/[.]ko$//p'",
    "end",
    "complete -c kgr -f",
    ...generalOptions.map((option) => optionLine("", option)),
    ...commands.flatMap(linesOf),
  ];
  return `${lines.join("\n")}\n`;
}

function linesOf({ name, brief, operand, options }: CommandWord): readonly string[] {
  const here = ` -n ${quote(`__fish_seen_subcommand_from ${name}`)}`;
  return [
    `complete -c kgr -n __fish_use_subcommand -a ${name} -d ${quote(brief)}`,
    ...options.map((option) => optionLine(here, option)),
    ...(operand === null ? [] : [`complete -c kgr${here} ${answer(operand)}`]),
  ];
}

function optionLine(condition: string, { words, argument }: OptionWord): string {
  const names = words.map((word) => (word.startsWith("--") ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`));
  const follows = argument === null ? "" : ` -r ${answer(argument)}`;
  return `complete -c kgr${condition} ${names.join(" ")}${follows}`;
}

function answer(place: Place): string {
  switch (place.kind) {
    case "patch":
      return "-a '(kgr patches 2>/dev/null)'";
    case "installed":
      return "-a '(__kgr_installed)'";
    case "file":
      return place.suffix === "" ? "-F" : `-k -a '(__fish_complete_suffix ${place.suffix})'`;
    case "choice":
      return `-a ${quote(place.words.join(" "))}`;
    case "free":
      return "-x";
  }
}
