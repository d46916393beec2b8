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
  RootFailed,
  ShareFailed,
} from "./errors.ts";
export { agentFiles } from "./agent.ts";
export { type DebianRootOptions, makeDebianRoot, openRootDisk } from "./debian-root.ts";
export { bootGuest, type Guest, type GuestEnd, type GuestJob, type RunOptions } from "./guest.ts";
export { findOops, type KernelOops } from "./oops.ts";
export type {
  GuestFile,
  GuestKernel,
  GuestOptions,
  GuestRoot,
  OnOutput,
  OutputStream,
  RootDisk,
} from "./options.ts";
export { checkRequirements, type Requirement } from "./requirements.ts";
export { type LabResult, quoteShell, runInGuest, type RunInGuestOptions } from "./run-in-guest.ts";
export type { CommandResult } from "./slots.ts";
export { type DiskRequest, playWriteLog, readWriteLog } from "./write-log.ts";
