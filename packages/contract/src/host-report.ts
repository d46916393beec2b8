/** What `kgr --json` prints on the patched machine. One document per command, always one line. */

/** `kgr status --json` */
export interface StatusReport {
  readonly state: "ready" | "in_progress";
  /** Kernel release the machine runs, as `uname -r`. */
  readonly release: string;
  /** The live patch in transition and how many tasks have not moved yet; absent when ready. */
  readonly transition?: {
    readonly patch: string;
    readonly direction: "apply" | "revert";
    /** null where the user who asked may not see the tasks of others. */
    readonly tasksLeft: number | null;
  };
}

/** `kgr patches --json` */
export interface PatchesReport {
  readonly patches: readonly PatchReport[];
}

export interface PatchReport {
  readonly name: string;
  /** Whether its functions are in force: enabled in the kernel. */
  readonly active: boolean;
  readonly inTransition: boolean;
  /** Full name of the package it came in, or null where it came in none. */
  readonly package: string | null;
  /** Whether its manifest is at hand; without one nobody knows what it repairs, and both lists are empty. */
  readonly manifestKnown: boolean;
  readonly cves: readonly string[];
  /** What it repairs that has no CVE number. */
  readonly otherFixes: readonly string[];
  readonly functions: readonly { readonly object: string; readonly name: string; readonly sympos: number }[];
}

/** `kgr load --json`, and likewise for the other commands that change something or wait. */
export interface TransitionReport {
  readonly action: "load" | "enable" | "disable" | "unload" | "wait";
  /** The live patch that was acted upon; null for `wait`. */
  readonly patch: string | null;
  readonly state: "ready" | "in_progress";
  /** From the change to the end of the transition, as far as the command waited for it. */
  readonly waitedMs: number;
  /** null where the user who asked may not see the tasks of others. */
  readonly tasksLeft: number | null;
}

/** `kgr blocking --json` */
export interface BlockingReport {
  readonly blocking: readonly BlockingTask[];
}

export interface BlockingTask {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly commandLine: readonly string[];
  /** Kernel stack, innermost first, as /proc/PID/task/TID/stack has it; empty where it cannot be read. */
  readonly stack: readonly string[];
}
