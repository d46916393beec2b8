/**
 * How large an entry of a special section is. The kernel's own types say it (BTF). Where these are not at hand the
 * table says it itself: each entry begins with a field that a relocation leads to code, and the number of such fields in
 * an entry is the same in all kernels. What neither says is not guessed.
 *
 *     __bug_table of 6.1         12 bytes: code, file (both relocated), line, flags
 *     .parainstructions of 6.1   16 bytes: code (relocated), type, length, padding; the last entry has no padding
 *     .altinstructions           12 bytes in 6.1, 14 in 6.3 and later: code, replacement (both relocated), the rest
 */
import { type ObjectSection, sectionOf, SHF_EXECINSTR } from "@kgraft/elf";

/** A structure of the kernel whose first field, and perhaps others, say where code is. */
export interface EntryStructure {
  /** Its name in the kernel's types. */
  readonly struct: string;
  /** How many of its fields lead to code. */
  readonly codeFields: number;
}

/**
 * Bytes from one entry to the next, or why they are unknown. Each entry must begin with a relocation.
 *
 * @param entry the size where all kernels have the same, or the structure that says it
 * @param sizes sizes of the kernel's structures, as far as they are known
 */
export function entrySizeOf(
  section: ObjectSection,
  entry: number | EntryStructure,
  sizes: ReadonlyMap<string, number>,
): number | string {
  const known = typeof entry === "number" ? entry : sizes.get(entry.struct);
  const size = known ?? countedSize(section, typeof entry === "number" ? 1 : entry.codeFields);
  const named = typeof entry === "number" ? "the kernel" : `the kernel's struct ${entry.struct}`;
  if (size === undefined) return `neither ${named} nor the table's relocations say it`;
  const starts = new Set(section.relocations.map(({ offset }) => offset));
  for (let start = 0; start < section.sizeBytes; start += size) {
    if (starts.has(start)) continue;
    const source = known === undefined ? "its relocations" : named;
    return `by ${source} it is ${size} bytes, and no relocation is where the entry at 0x${start.toString(16)} would begin`;
  }
  return size;
}

function countedSize(section: ObjectSection, codeFields: number): number | undefined {
  const toCode = section.relocations.filter(
    ({ symbol }) => ((sectionOf(symbol)?.flags ?? 0) & SHF_EXECINSTR) !== 0,
  );
  const second = toCode[codeFields];
  const size = second === undefined ? section.sizeBytes : second.offset - (toCode[0]?.offset ?? 0);
  const entries = toCode.length / codeFields;
  return size > 0 && Math.ceil(section.sizeBytes / size) === entries ? size : undefined;
}
