/** What can go wrong with a guest. Messages name action, object, value found and value wanted; hints say what to do. */

/** QEMU is not installed. */
export class QemuMissing extends Error {
  override readonly name = "QemuMissing";
  readonly hint = "apt-get install qemu-system-x86";
}

/** UEFI firmware is not installed, or is not such as is known. */
export class FirmwareMissing extends Error {
  override readonly name = "FirmwareMissing";
  readonly hint = "apt-get install ovmf";
}

/** A static busybox, the guest's userland, is not installed. */
export class BusyboxMissing extends Error {
  override readonly name = "BusyboxMissing";
  readonly hint = "apt-get install busybox-static";
}

/** A kernel has no module of that name, or the module's file cannot be read. */
export class KernelModuleMissing extends Error {
  override readonly name = "KernelModuleMissing";
  readonly hint = "modules are named as lsmod shows them; the kernel's package may lack this one";
}

/** The host directory cannot be shared with the guest. */
export class ShareFailed extends Error {
  override readonly name = "ShareFailed";
  readonly hint: string;
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** The system that a guest is to run from cannot be made. */
export class RootFailed extends Error {
  override readonly name = "RootFailed";
  readonly hint: string;
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** A file for the guest cannot be read or written on the host. */
export class GuestFileFailed extends Error {
  override readonly name = "GuestFileFailed";
  readonly hint =
    "check that the file is readable and that the temporary directory has room (TMPDIR names another)";
}

/** The guest came up, but a part of its set-up failed (a module, the share). */
export class GuestSetupFailed extends Error {
  override readonly name = "GuestSetupFailed";
  readonly hint =
    "the message holds what the guest's kernel said; see that the module belongs to this kernel release";
}

/** The whole life of the guest took longer than `timeoutMs`. */
export class GuestTimedOut extends Error {
  override readonly name = "GuestTimedOut";
  readonly hint = "give the guest a longer time limit, or see on its console what it hangs on";
}

/** One command took longer than its own limit; the guest lives on. */
export class GuestCommandTimedOut extends Error {
  override readonly name = "GuestCommandTimedOut";
  readonly hint = "give the command a longer time limit, or see on the guest's console what it hangs on";
}

/** One command wrote more than the host keeps. */
export class GuestOutputTooLong extends Error {
  override readonly name = "GuestOutputTooLong";
  readonly hint = "write the output to a file under /share instead";
}

/** As many commands run in the guest as it takes. */
export class GuestBusy extends Error {
  override readonly name = "GuestBusy";
  readonly hint = "wait for a command to end, or join commands into one";
}

/** The machine went away under a command: QEMU was killed or failed, or the guest powered off. */
export class GuestLost extends Error {
  override readonly name = "GuestLost";
  readonly hint = "run it again; if it stays so, the message holds what QEMU and the console said last";
}

/** The guest's kernel panicked. */
export class GuestPanicked extends Error {
  override readonly name = "GuestPanicked";
  readonly hint = "the message holds the last lines of the guest's console";
}
