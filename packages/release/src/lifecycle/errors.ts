/** Lifecycle data or a policy that cannot be read. The message says what was found and wanted, the hint what to do. */
export class BadLifecycleData extends Error {
  override readonly name = "BadLifecycleData";
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}
