/**
 * Completion for bash, without the bash-completion library: a server may not have it. The function walks over the
 * words before the cursor to find the command, then answers what may stand there.
 */
import {
  type CommandWord,
  generalOptions,
  type OptionWord,
  type Place,
  quote,
  specialOptions,
} from "./words.ts";

/** @returns a script for `source`, or for /usr/share/bash-completion/completions/kgr */
export function bashCompletion(commands: readonly CommandWord[]): string {
  const withArgument = specialOptions.filter(({ argument }) => argument !== null);
  return `# bash completion for kgr

_kgr_words() { # what may stand there
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_kgr_installed() {
  ls "/usr/lib/modules/$(uname -r)/updates/kgraft" 2>/dev/null | sed -n 's/[.]ko$//p'
}

_kgr_files() { # suffix
  local file
  compopt -o filenames
  while IFS= read -r file; do
    if [[ -d $file || $file == *"$1" ]]; then
      COMPREPLY+=("$file")
    fi
  done < <(compgen -f -- "$cur")
}

_kgr() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command= at
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
      ${patterns(withArgument)}) ((at++)) ;;
      -*) ;;
      *) command=\${command:-\${COMP_WORDS[at]}} ;;
    esac
  done
  case \${COMP_WORDS[COMP_CWORD-1]} in
${withArgument.map((option) => `    ${option.words.join("|")}) ${answer(option.argument)}; return ;;`).join("\n")}
  esac
  case $command:$cur in
    :-*) _kgr_words ${quote(words(generalOptions))} ;;
    :*) _kgr_words ${quote(commands.map(({ name }) => name).join(" "))} ;;
${commands.map(caseOf).join("\n")}
  esac
}

complete -F _kgr kgr
`;
}

function caseOf({ name, options, operand }: CommandWord): string {
  return `    ${name}:-*) _kgr_words ${quote(words([...options, ...generalOptions]))} ;;
    ${name}:*) ${answer(operand)} ;;`;
}

function answer(place: Place | null): string {
  switch (place?.kind) {
    case "patch":
      return '_kgr_words "$(kgr patches 2>/dev/null)"';
    case "installed":
      return '_kgr_words "$(_kgr_installed)"';
    case "file":
      return `_kgr_files ${quote(place.suffix)}`;
    case "choice":
      return `_kgr_words ${quote(place.words.join(" "))}`;
    case "free":
    case undefined:
      return ":";
  }
}

function patterns(options: readonly OptionWord[]): string {
  return options.flatMap((option) => option.words).join("|");
}

function words(options: readonly OptionWord[]): string {
  return options.flatMap((option) => option.words).join(" ");
}
