/** What can go wrong with packages. The message says what was found and wanted, the hint what to do. */
abstract class PackageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** What a package is to be made of is not fit for it. */
export class BadPackageInput extends PackageError {
  override readonly name = "BadPackageInput";
}

/** A tool of a package manager is not installed. */
export class PackageToolMissing extends PackageError {
  override readonly name = "PackageToolMissing";
}

/** A tool of a package manager did not do its work. */
export class PackageToolFailed extends PackageError {
  override readonly name = "PackageToolFailed";
}
