import type { CompletionReport } from "@kgraft/contract";
import { type Command, type Context, printJson } from "../command.ts";
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { type CommandWord, commandWords } from "../completion/words.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { n } from "../language.ts";

const scripts: Readonly<Record<CompletionReport["shell"], (commands: readonly CommandWord[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** The command needs the table that it stands in. */
export function completionCommand(commands: () => Promise<readonly Command[]>): Command {
  return {
    name: "completion",
    operand: "bash|zsh|fish",
    options: [],
    brief: n`print the script by which a shell completes commands, options and names`,
    details: n`bash:  source <(kgr completion bash)\nzsh:   source <(kgr completion zsh), after compinit\nfish:  kgr completion fish | source`,
    async run({ system, invocation }: Context): Promise<number> {
      const shell = invocation.operand as CompletionReport["shell"]; // the parser took no other word
      const script = scripts[shell](commandWords(await commands()));
      if (invocation.json) {
        printJson(system, { shell, script } satisfies CompletionReport);
      } else {
        system.print("out", script);
      }
      return 0;
    },
  };
}
