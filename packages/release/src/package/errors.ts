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
