/** Loading the live patch under load, and watching its tasks move to the new functions one by one. */
import type { Stage } from "../board.ts";
import { DemoFailed } from "../errors.ts";
import type { Session } from "./guest-session.ts";
import { kernelLog } from "./scenario.ts";

export interface TransitionCourse {
  /** From the kernel's own log: from the start of the transition to its end. */
  readonly transitionMs: number;
  /** How many tasks were left each time kgr looked, once a second; empty where it was over before the first look. */
  readonly tasksLeft: readonly number[];
}

/** `kgr load`, and what it tells meanwhile. */
export async function followLoad(session: Session, path: string, stage: Stage): Promise<TransitionCourse> {
  const tasksLeft: number[] = [];
  let said = "";
  stage.update({ message: "kgr load" });
  await session.run(`kgr load ${path}`, {
    onOutput(text, stream) {
      if (stream !== "stderr") return;
      said += text;
      const counts = [...said.matchAll(/in_progress, (\d+) tasks? left\n/g)].map(([, count]) =>
        Number(count),
      );
      tasksLeft.splice(0, tasksLeft.length, ...counts);
      const last = counts.at(-1);
      if (last !== undefined) stage.update({ message: `kgr load: in_progress, ${last} left` });
    },
  });
  return { transitionMs: transitionTime(await session.run(kernelLog)), tasksLeft };
}

/**
 * Reads `[    8.654802] livepatch: 'kgraft_demo': starting patching transition` and the line of its end.
 *
 * @returns milliseconds between the last of each
 * @throws DemoFailed where the log does not have them
 */
export function transitionTime(log: string): number {
  const timeOf = (what: string): number =>
    Number(new RegExp(`^.*\\[\\s*(\\d+\\.\\d+)\\] livepatch: '[^']+': ${what}`, "gm").exec(log)?.[1]);
  const ms = Math.round((timeOf("patching complete") - timeOf("starting patching transition")) * 1000);
  if (ms >= 0) return ms;
  throw new DemoFailed(
    "the transition is not in the guest's kernel log, wanted its start and its end",
    log.trim() || "the log says nothing of livepatch",
  );
}
