/** What can go wrong with repositories. The message says what was found and wanted, the hint what to do. */
abstract class RepositoryError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** A package file that is none, is damaged, or does not fit what was published before. */
export class PackageUnfit extends RepositoryError {
  override readonly name = "PackageUnfit";
}

/** A repository whose files are not what they have to be: damaged, tampered with, expired, wrongly signed. */
export class RepositoryUnfit extends RepositoryError {
  override readonly name = "RepositoryUnfit";
}

/** Another publication is at work, or was faster. */
export class RepositoryBusy extends RepositoryError {
  override readonly name = "RepositoryBusy";
}

/** A place that cannot be written to or read from. */
export class StoreFailed extends RepositoryError {
  override readonly name = "StoreFailed";
}

/** A key that is not there, or is not the one that is wanted. */
export class KeyUnfit extends RepositoryError {
  override readonly name = "KeyUnfit";
}

/** gpg refused. */
export class KeySigningFailed extends RepositoryError {
  override readonly name = "KeySigningFailed";
}

/** A request that makes no sense: a channel's name, a version that is not there. */
export class BadPublication extends RepositoryError {
  override readonly name = "BadPublication";
}

/** One of the programs of the trade failed. */
export class ToolFailed extends RepositoryError {
  override readonly name = "ToolFailed";
}
