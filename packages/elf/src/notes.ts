import { NT_GNU_BUILD_ID, SHT_NOTE } from "./constants.ts";
import { type ElfFile, sectionData } from "./file.ts";

/**
 * The GNU build id in hex, or undefined when the file has none. It identifies one link of one program: the kernel
 * shows its own in /sys/kernel/notes.
 * Source: System V ABI, chapter 5, "Note Section" (entries aligned to 4 bytes).
 */
export function readBuildId(file: ElfFile): string | undefined {
  for (const section of file.sections) {
    if (section.type !== SHT_NOTE) continue;
    const bytes = sectionData(file, section);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 12 <= bytes.length;) {
      const name = at + 12;
      const description = name + align4(view.getUint32(at, true));
      const end = description + view.getUint32(at + 4, true);
      if (end > bytes.length) break;
      const isGnu = new TextDecoder().decode(bytes.subarray(name, name + 4)) === "GNU\0";
      if (isGnu && view.getUint32(at + 8, true) === NT_GNU_BUILD_ID) {
        return Array.from(bytes.subarray(description, end), (byte) =>
          byte.toString(16).padStart(2, "0"),
        ).join("");
      }
      at = align4(end);
    }
  }
  return undefined;
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}
