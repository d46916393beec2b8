/** What can go wrong while the binary is built; the names are those of the other rooms' like errors. */
class BuilderError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

export class ToolMissing extends BuilderError {
  override readonly name = "ToolMissing";
}
export class MirrorUnknown extends BuilderError {
  override readonly name = "MirrorUnknown";
}
export class DownloadFailed extends BuilderError {
  override readonly name = "DownloadFailed";
}
export class CommandFailed extends BuilderError {
  override readonly name = "CommandFailed";
}
