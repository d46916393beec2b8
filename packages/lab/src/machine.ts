/**
 * The machine that QEMU plays, and what its quick start costs in realism.
 *
 * A guest must run the distribution's kernel as it would run on a server: code patched by alternatives, real
 * ftrace, real modules, two processors. What is left out here only shortens the start, measured on two cores
 * without KVM (from spawn to the first command's answer), except for the last:
 * - `quiet` until the first command, which turns the console on: lines of the start are in dmesg only.
 * - `cryptomgr.notests`: the crypto self-tests take 0.2 s; the algorithms are the same.
 * - `tsc=reliable no_timer_check`: no 0.1 s of calibration against timers that a busy host delays. It also switches
 *   the clock watchdog off, which would call a good clock unstable; and it keeps the start from hanging, as it does
 *   now and then, where the emulated timer's interrupt comes late. The counter's rate: clock.ts.
 * - `-cpu max` has RDRAND, so the kernel's random generator is ready at once; it has SMAP, SMEP and FSGSBASE, so that
 *   alternatives are applied as on a server. Five-level page tables, which cost time, are off.
 * - `thread=single` runs the processors in turn. Where each has a thread of its own, one of them now and then goes on
 *   executing a breakpoint that another has already removed while patching the kernel's text (jump labels, ftrace):
 *   the guest then hangs for good, or panics of an int3, in about one boot of 150 (QEMU 7.2).
 * Address randomisation, mitigations and the packed kernel image are left as they are.
 *
 * `panic=-1` restarts at once after a panic and `-no-reboot` makes a restart the end: a panic is seen without delay.
 */
import { clockParameters } from "./clock.ts";
import type { Firmware } from "./firmware.ts";
import type { GuestOptions } from "./options.ts";

/** Commands that can run at the same time, one of which is the host's own (stopping others, powering off). */
export const slotCount = 9;

/** Stdio numbers of the child, beginning after stdin, stdout and stderr. */
export const stdio = { initramfs: 3, disk: 4, share: 5, variables: 6, console: 7, firstPort: 8 } as const;

const kernelParameters = [
  "console=ttyS0",
  "quiet",
  "panic=-1",
  "cryptomgr.notests",
  "tsc=reliable",
  "no_timer_check",
] as const;

function hasDisk({ diskSizeBytes, root }: GuestOptions): boolean {
  return diskSizeBytes !== undefined || root !== undefined;
}

/** The modules the channel, the disk and the share need in the guest. */
export function transportModules(options: GuestOptions): readonly string[] {
  return [
    "virtio_pci",
    "virtio_console",
    ...(hasDisk(options) ? ["virtio_blk"] : []),
    ...(options.share === undefined ? [] : ["virtiofs"]),
  ];
}

/**
 * Files are handed over as open descriptors of unlinked files and sockets as pairs, so that nothing with a name is
 * left behind however this process ends.
 */
export function qemuArguments(options: GuestOptions, firmware?: Firmware): readonly string[] {
  const memoryMib = options.memoryMib ?? 512;
  const ports = Array.from({ length: slotCount * 2 }, (_, port) => [
    "-chardev",
    `socket,id=port${port},fd=${stdio.firstPort + port}`,
    "-device",
    `virtserialport,chardev=port${port},nr=${port + 1}`,
  ]);
  // No disk outlives this process: nothing of it need reach the host's disk. A full host is an error to the guest;
  // by default QEMU would stop the guest there.
  const disk = [
    ...diskBackend(options.root?.writeLog),
    "-device",
    "virtio-blk-pci,drive=disk,werror=report,rerror=report",
  ];
  // virtiofsd reads and writes the guest's memory, which must therefore be shared.
  const share = [
    "-object",
    `memory-backend-memfd,id=memory,size=${memoryMib}M,share=on`,
    "-machine",
    "memory-backend=memory",
    "-chardev",
    `socket,id=share,fd=${stdio.share}`,
    "-device",
    "vhost-user-fs-pci,chardev=share,tag=share",
  ];
  const pairs: readonly (readonly [string, string])[] = [
    ["-display", "none"],
    ["-machine", "q35"],
    ["-accel", "tcg,thread=single"],
    ["-cpu", "max,la57=off"],
    ["-smp", String(options.cpus ?? 2)],
    ["-m", String(memoryMib)],
    ["-kernel", options.kernel.image],
    ["-initrd", `/proc/self/fd/${stdio.initramfs}`],
    ["-append", [...kernelParameters, ...clockParameters(), ...(options.kernelParameters ?? [])].join(" ")],
    ["-chardev", `socket,id=console,fd=${stdio.console}`],
    ["-serial", "chardev:console"],
    ["-device", `virtio-serial-pci,max_ports=${slotCount * 2 + 1}`],
  ];
  return [
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    ...pairs.flat(),
    ...ports.flat(),
    ...(hasDisk(options) ? disk : []),
    ...(options.share === undefined ? [] : share),
    ...(firmware === undefined
      ? []
      : [...flash(0, firmware.code, "on"), ...flash(1, `/proc/self/fd/${stdio.variables}`, "off")]),
  ];
}

/** The disk itself, or with a log in front of it, which is told of flushes too. */
function diskBackend(writeLog: string | undefined): readonly string[] {
  const file = `/proc/self/fd/${stdio.disk}`;
  if (writeLog === undefined) {
    return ["-drive", `file=${file},format=raw,if=none,id=disk,cache=unsafe`];
  }
  const noted = {
    driver: "blklogwrites",
    "node-name": "disk",
    file: { driver: "file", filename: file, cache: { "no-flush": true } },
    log: { driver: "file", filename: writeLog, cache: { "no-flush": true } },
  };
  return ["-blockdev", JSON.stringify(noted)];
}

/** Flash with code or variables of the firmware. */
function flash(unit: number, file: string, readonly: "on" | "off"): readonly string[] {
  return ["-drive", `if=pflash,unit=${unit},format=raw,readonly=${readonly},file=${file}`];
}
