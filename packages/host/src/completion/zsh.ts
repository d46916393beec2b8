/**
 * Completion for zsh by its own `_arguments`: once for the words before the command and the command, and once more
 * for what stands behind it. Each option may stand on either side.
 */
import { type CommandWord, generalOptions, type OptionWord, type Place, quote } from "./words.ts";

/** @returns a script for a folder of $fpath, under the name `_kgr` */
export function zshCompletion(commands: readonly CommandWord[]): string {
  const general = generalOptions.map(specOf).join(" ");
  return `#compdef kgr

_kgr_patches() {
  local -a patches=(\${(f)"$(_call_program patches kgr patches 2>/dev/null)"})
  compadd -a patches
}

_kgr_installed() {
  local -a patches=(/usr/lib/modules/$(uname -r)/updates/kgraft/*.ko(N:t:r))
  compadd -a patches
}

_kgr_commands() {
  local -a commands=(
${commands.map(({ name, brief }) => `    ${quote(`${name}:${brief.replaceAll(":", "\\:")}`)}`).join("\n")}
  )
  _describe command commands
}

_kgr() {
  local state line curcontext=$curcontext
  local -a general=(${general})
  _arguments -C $general ': :_kgr_commands' '*:: :->operand' && return
  [[ $state == operand ]] || return 1
  case $line[1] in
${commands.map(caseOf).join("\n")}
  esac
}

if [[ $funcstack[1] == _kgr ]]; then
  _kgr "$@"
else
  compdef _kgr kgr
fi
`;
}

function caseOf({ name, options, operand }: CommandWord): string {
  const specs = [...options.map(specOf), ...(operand === null ? [] : [quote(`:: :${action(operand)}`)])];
  return `    ${name}) _arguments $general ${specs.join(" ")} ;;`;
}

/** `'*'{--verbose,-v}'[…]'` in short: an option may come again, as -v does. */
function specOf({ words, argument }: OptionWord): string {
  return words.map((word) => quote(`*${word}${argument === null ? "" : `: :${action(argument)}`}`)).join(" ");
}

function action(place: Place): string {
  switch (place.kind) {
    case "patch":
      return "_kgr_patches";
    case "installed":
      return "_kgr_installed";
    case "file":
      return place.suffix === "" ? "_files" : `_files -g "*${place.suffix}"`;
    case "choice":
      return `(${place.words.join(" ")})`;
    case "free":
      return " ";
  }
}
