/** What the demonstration found out: the JSON document of `kgraft demo --json`. */
import type { Manifest } from "@kgraft/contract";

export interface DemoReport {
  readonly release: string;
  readonly packageVersion: string;
  readonly fix: {
    readonly from: string;
    readonly to: string;
    readonly files: readonly {
      readonly path: string;
      readonly addedLines: number;
      readonly removedLines: number;
    }[];
    readonly fixes: Manifest["fixes"];
  };
  readonly functions: Manifest["functions"];
  readonly control: ControlReport;
  readonly patched: PatchedReport;
  readonly transitionMs: number;
  readonly stages: readonly StageTime[];
  readonly totalMs: number;
}

export interface ControlReport {
  readonly crashed: true;
  readonly title: string;
  readonly function: string | null;
  readonly task: string | null;
  readonly callTrace: readonly string[];
}

export interface PatchedReport {
  readonly survived: true;
  /** How many tasks were left, as the transition went on. */
  readonly tasksLeft: readonly number[];
  readonly redirected: readonly string[];
  /** What the load did while the patch came and the reproducer ran. */
  readonly load: { readonly writes: number; readonly reads: number };
  readonly filesVerified: number;
  /** The host's e2fsck on the guest's disk. */
  readonly fileSystem: "clean";
  readonly reverted: {
    readonly revertMs: number;
    readonly patchesLeft: number;
    readonly redirected: readonly string[];
  };
}

export interface StageTime {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}
