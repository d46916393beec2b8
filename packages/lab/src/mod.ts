/**
 * Boots stock kernels in QEMU and runs scenarios in them.
 *
 * @module
 */
export {
  BusyboxMissing,
  FirmwareMissing,
  GuestBusy,
  GuestCommandTimedOut,
  GuestFileFailed,
  GuestLost,
  GuestOutputTooLong,
  GuestPanicked,
  GuestSetupFailed,
  GuestTimedOut,
  KernelModuleMissing,
  QemuMissing,
  ShareFailed,
} from "./errors.ts";
export { bootGuest, type Guest, type GuestEnd, type GuestJob, type RunOptions } from "./guest.ts";
export { findOops, type KernelOops } from "./oops.ts";
export type { GuestFile, GuestKernel, GuestOptions, OnOutput, OutputStream } from "./options.ts";
export { checkRequirements, type Requirement } from "./requirements.ts";
export { type LabResult, quoteShell, runInGuest, type RunInGuestOptions } from "./run-in-guest.ts";
export type { CommandResult } from "./slots.ts";
