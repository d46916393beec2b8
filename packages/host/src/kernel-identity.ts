/** Which kernel runs: its release, and the GNU build id that tells apart two builds of one release. */
import type { System } from "./system.ts";
import { hexOf, readText } from "./text.ts";

/** As `uname -r`. */
export function kernelRelease(system: System): string {
  return readText(system, "/proc/sys/kernel/osrelease")?.trim() ?? "";
}

/** Whether this user may change the kernel: effective user 0. */
export function isRoot(system: System): boolean {
  return /^Uid:\s+\d+\s+0\s/m.test(readText(system, "/proc/self/status") ?? "");
}

const gnuBuildId = 3;

/** The build id in hex, from the ELF notes that the kernel shows; null where it shows none. */
export function kernelBuildId(system: System): string | null {
  let bytes: Uint8Array;
  try {
    bytes = system.readBytes("/sys/kernel/notes", 65_536);
  } catch {
    return null;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= bytes.length;) {
    const nameBytes = view.getUint32(at, true);
    const sizeBytes = view.getUint32(at + 4, true);
    const name = at + 12;
    const start = name + align4(nameBytes);
    if (
      nameBytes === 4 &&
      view.getUint32(name) === 0x474e5500 &&
      view.getUint32(at + 8, true) === gnuBuildId
    ) {
      const id = bytes.subarray(start, start + sizeBytes);
      return id.length === sizeBytes ? hexOf(id) : null;
    }
    at = start + align4(sizeBytes);
  }
  return null;
}

function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}
