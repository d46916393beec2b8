/** What can go wrong in the command itself. The message says what was found and wanted, the hint what to type. */
abstract class CliError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

export class UsageError extends CliError {
  override readonly name = "UsageError";
}

/** A signal, or Ctrl-C. */
export class Interrupted extends CliError {
  override readonly name = "Interrupted";

  constructor(signal: string) {
    super(
      `interrupted by ${signal}: nothing half-made is left`,
      "type the command again: it goes on from what is in the cache",
    );
  }
}

/** No Debian that this was made for. */
export class MachineUnsupported extends CliError {
  override readonly name = "MachineUnsupported";
}

/** Packages are not there that the command needs. */
export class RequirementsMissing extends CliError {
  override readonly name = "RequirementsMissing";
}

export class InstallFailed extends CliError {
  override readonly name = "InstallFailed";
}

/** A file that was named on the command line. */
export class FileUnreadable extends CliError {
  override readonly name = "FileUnreadable";
}

/** What `kgraft delta` was given to compare, or to look names up in. */
export class DeltaInputUnfit extends CliError {
  override readonly name = "DeltaInputUnfit";
}

/** A module that cannot go into this kernel. */
export class ModuleUnfit extends CliError {
  override readonly name = "ModuleUnfit";
}

/** The report cannot be made: its data, the package managers or a kept report cannot be read. */
export class LifecycleFailed extends CliError {
  override readonly name = "LifecycleFailed";
}

/** The demonstration did not show what it is there to show. */
export class DemoFailed extends CliError {
  override readonly name = "DemoFailed";
}

/** What the demonstration shows is not to be had any more. */
export class VersionsGone extends CliError {
  override readonly name = "VersionsGone";
}
