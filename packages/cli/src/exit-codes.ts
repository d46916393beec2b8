/**
 * What the exit status says. Scripts live by it, so it is one table: each error name of every room has its number
 * here, and `--help` and kgraft(1) print the meanings from it. `lab run` otherwise ends with the guest command's own.
 */
import { isSystemError } from "./system-error.ts";

export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
  /** Names of the errors that end so. */
  readonly errors: readonly string[];
}

export const exitCodes: readonly ExitCode[] = [
  { code: 0, meaning: "done", errors: [] },
  {
    code: 1,
    meaning: "failed",
    errors: [
      "CommandFailed",
      "DeltaInputUnfit",
      "DemoFailed",
      "GuestBusy",
      "KeySigningFailed",
      "PackageToolFailed",
      "ToolFailed",
    ],
  },
  {
    code: 2,
    meaning: "the change cannot become a live patch; lifecycle: something cannot be read",
    errors: ["ChangeRefused", "LifecycleFailed"],
  },
  { code: 3, meaning: "the change makes no function do anything else", errors: ["NoFunctionalChange"] },
  { code: 64, meaning: "wrong usage", errors: ["UsageError", "BadPublication", "BadRequest"] },
  {
    code: 65,
    meaning: "bad input: a diff, a kernel release, a version, a module",
    errors: [
      "BadChange",
      "BadInput",
      "BadLifecycleData",
      "BadPackageInput",
      "CompileFailed",
      "ElfFormatError",
      "FileUnreadable",
      "GuestSetupFailed",
      "KeyUnfit",
      "ModuleUnfit",
      "PackageUnfit",
      "RepositoryUnfit",
      "ShippedKernelUnfit",
      "SigningFailed",
      "UnitNotCompiled",
      "UnknownRelease",
      "VersionNotCarried",
      "VersionsGone",
    ],
  },
  {
    code: 69,
    meaning: "this machine lacks something",
    errors: [
      "BusyboxMissing",
      "CompilerMismatch",
      "FirmwareMissing",
      "InstallFailed",
      "KernelModuleMissing",
      "KernelNotPrepared",
      "MachineUnsupported",
      "MirrorUnknown",
      "PackageToolMissing",
      "QemuMissing",
      "RequirementsMissing",
      "RootFailed",
      "ToolMissing",
    ],
  },
  {
    code: 74,
    meaning: "input or output failed, or no space is left",
    errors: ["GuestFileFailed", "GuestOutputTooLong", "NoSpace", "ShareFailed", "StoreFailed"],
  },
  {
    code: 75,
    meaning: "try again: a download failed, or another is at work",
    errors: ["DownloadFailed", "IndexFailed", "RepositoryBusy"],
  },
  {
    code: 124,
    meaning: "the guest ran into its time limit",
    errors: ["GuestCommandTimedOut", "GuestTimedOut"],
  },
  { code: 125, meaning: "the guest was lost", errors: ["GuestLost"] },
  { code: 126, meaning: "the guest's kernel panicked", errors: ["GuestPanicked"] },
  { code: 130, meaning: "interrupted", errors: ["AbortError", "Interrupted"] },
];

const codeOfName: ReadonlyMap<string, number> = new Map(
  exitCodes.flatMap(({ code, errors }) => errors.map((name) => [name, code] as const)),
);

/** Whether this kind of error is foreseen; another one is a fault of kgraft itself. */
export function isForeseen(error: unknown): boolean {
  return error instanceof Error && (codeOfName.has(error.name) || isSystemError(error));
}

/** The exit status that an error ends with. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof Error)) return 1;
  return codeOfName.get(error.name) ?? (isSystemError(error) ? 74 : 1);
}

/** The table as `--help` shows it. */
export function exitCodeLines(): readonly string[] {
  return exitCodes.map(({ code, meaning }) => `${String(code).padStart(5)}  ${meaning}`);
}
