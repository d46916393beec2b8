/** Numbered headings, and how long each piece of work took. */
import type { Context } from "../context.ts";
import { wrapStyled } from "../format.ts";
import type { StageTime } from "./report.ts";

export interface Steps {
  /** Tells lines of the story; nothing with `--json`. */
  readonly say: (...lines: readonly string[]) => void;
  readonly heading: (number: number, text: string) => void;
  /** Runs work and notes its time. */
  readonly timed: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  readonly times: readonly StageTime[];
  readonly elapsedMs: () => number;
}

export function makeSteps({ board, style, columns }: Context, json: boolean): Steps {
  const start = performance.now();
  const times: StageTime[] = [];
  const say = (...lines: readonly string[]): void => {
    if (!json) board.print(...lines.flatMap((line) => wrapStyled(line, columns)));
  };
  return {
    say,
    heading(number, text) {
      say("", `${style.cyan(style.bold(String(number)))}  ${style.bold(text)}`);
    },
    async timed(name, work) {
      const began = performance.now();
      try {
        return await work();
      } finally {
        const durationMs = Math.round(performance.now() - began);
        times.push({ name, startMs: Math.round(began - start), durationMs });
      }
    },
    times,
    elapsedMs: () => Math.round(performance.now() - start),
  };
}
