/**
 * Relocations with addends, the only kind that x86-64 and POWER use.
 * Source: System V ABI, chapter 4, "Relocation".
 */
import { type ElfFile, fail, sectionData, type SectionHeader } from "./file.ts";
import type { SymbolIndex } from "./symbols.ts";

export interface ElfRelocation {
  /** Offset into the target section in a relocatable file, address in an image. */
  readonly offset: bigint;
  readonly symbol: SymbolIndex;
  readonly type: number;
  readonly addend: bigint;
}

export const RELOCATION_SIZE_BYTES = 24;

/**
 * The entries of one section of type SHT_RELA, in order.
 *
 * @throws {ElfFormatError} when the section is malformed
 */
export function readRelocations(file: ElfFile, section: SectionHeader): ElfRelocation[] {
  const what = `relocations ${section.name}`;
  if (section.entrySizeBytes !== RELOCATION_SIZE_BYTES)
    fail(file.source, what, `entry size is ${section.entrySizeBytes}, wanted ${RELOCATION_SIZE_BYTES}`);
  const bytes = sectionData(file, section);
  if (bytes.length % RELOCATION_SIZE_BYTES !== 0)
    fail(file.source, what, `size is ${bytes.length}, wanted a multiple of ${RELOCATION_SIZE_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const relocations: ElfRelocation[] = [];
  for (let at = 0; at < bytes.length; at += RELOCATION_SIZE_BYTES) {
    relocations.push({
      offset: view.getBigUint64(at, true),
      symbol: view.getUint32(at + 12, true) as SymbolIndex,
      type: view.getUint32(at + 8, true),
      addend: view.getBigInt64(at + 16, true),
    });
  }
  return relocations;
}
