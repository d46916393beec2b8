/** Documents for other programs, which go to a file as well as to the standard output. */
import type { Context } from "./command.ts";

/** Prints a document, or replaces the file that `--output` names: nobody ever sees a part of it. @throws SystemError */
export function writeDocument({ system, invocation }: Context, text: string): void {
  const path = invocation.options.get("output");
  if (path === undefined) {
    system.print("out", text);
  } else {
    system.replaceFile(path, text);
  }
}
