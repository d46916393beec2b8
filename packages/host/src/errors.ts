/** What can go wrong in `kgr`, by name. Each name has one exit code, documented in kgr(1). */

/** The message says what happened, the hint what to type next. */
abstract class KgrError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

export class UsageError extends KgrError {
  override readonly name = "UsageError";
}
/** The change is not allowed now. */
export class RefusedError extends KgrError {
  override readonly name = "RefusedError";
}
/** What the administrator does not allow. */
export class PolicyError extends KgrError {
  override readonly name = "PolicyError";
}
export class OtherKernelError extends KgrError {
  override readonly name = "OtherKernelError";
}
export class AlreadyLoadedError extends KgrError {
  override readonly name = "AlreadyLoadedError";
}
export class BadInputError extends KgrError {
  override readonly name = "BadInputError";
}
/** No such live patch, or no such file. */
export class NotFoundError extends KgrError {
  override readonly name = "NotFoundError";
}
export class NoLivePatchingError extends KgrError {
  override readonly name = "NoLivePatchingError";
}
export class MissingProgramError extends KgrError {
  override readonly name = "MissingProgramError";
}
export class NotRootError extends KgrError {
  override readonly name = "NotRootError";
}
/** The kernel did not do what it was asked. */
export class KernelRefusedError extends KgrError {
  override readonly name = "KernelRefusedError";
}
export class TimeLimitError extends KgrError {
  override readonly name = "TimeLimitError";
}
/** At the time limit the transition was turned back, as it was asked or as the policy says. */
export class ReversedError extends KgrError {
  override readonly name = "ReversedError";
}
export class InterruptedError extends KgrError {
  override readonly name = "InterruptedError";
}

/** Lifecycle data, the package managers, or a saved report could not be read; the exit code is zypper's plugin's. */
export class LifecycleError extends KgrError {
  override readonly name = "LifecycleError";
}

/** The exit code of each error, by its name. */
export const exitCodes: Readonly<Record<string, number>> = {
  KernelRefusedError: 1,
  RefusedError: 2,
  LifecycleError: 2,
  ReversedError: 3,
  OtherKernelError: 4,
  AlreadyLoadedError: 5,
  PolicyError: 6,
  UsageError: 64,
  BadInputError: 65,
  NotFoundError: 66,
  NoLivePatchingError: 69,
  MissingProgramError: 69,
  SystemError: 74,
  NotRootError: 77,
  TimeLimitError: 124,
  InterruptedError: 130,
};

/** Exit code for an error; 70 for one that nobody expected, which is a bug of `kgr`. */
export function exitCodeOf(error: unknown): number {
  return error instanceof Error ? (exitCodes[error.name] ?? 70) : 70;
}
