import type { Reason } from "@kgraft/delta";

/** The change cannot become a live patch: all reasons, found over all units. */
export class ChangeRefused extends Error {
  override readonly name = "ChangeRefused";
  readonly reasons: readonly UnitReason[];

  constructor(reasons: readonly UnitReason[]) {
    const count = reasons.length === 1 ? "1 reason" : `${reasons.length} reasons`;
    super(`cannot make a live patch of this change: ${count}`);
    this.reasons = reasons;
  }
}

export interface UnitReason extends Omit<Reason, "code"> {
  readonly code: string;
  /** Source file of the unit or of the change that the reason is about. */
  readonly unit: string;
}

/** The change makes no function do anything else: nothing to patch. */
export class NoFunctionalChange extends Error {
  override readonly name = "NoFunctionalChange";

  constructor(release: string, units: readonly string[]) {
    super(`no function of ${release} changes by this: ${units.join(", ")} compile to the same code`);
  }
}

/** A live patch cannot be signed with the key and the certificate that were given. */
export class SigningFailed extends Error {
  override readonly name = "SigningFailed";
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** The change does not fit the kernel's source, or is none. */
export class BadChange extends Error {
  override readonly name = "BadChange";
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** The shipped kernel lacks something that the build rests on. */
export class ShippedKernelUnfit extends Error {
  override readonly name = "ShippedKernelUnfit";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
