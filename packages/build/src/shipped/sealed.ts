/**
 * Functions that may not be called indirectly in the running kernel. With indirect branch tracking (IBT) a function that
 * may be begins with `endbr64`; where nobody took a function's address when the kernel was made, the kernel takes that
 * instruction away as it starts, and the processor faults when the function is called by its address all the same. The
 * list of them stands in vmlinux and in each module.
 * Source: apply_seal_endbr() in arch/x86/kernel/alternative.c of the kernel; create_ibt_endbr_seal_sections() in
 * tools/objtool/check.c; commit ed53a0d97192 ("x86/alternative: Use .ibt_endbr_seal to seal indirect calls") (in v5.18).
 */
import {
  type ElfFile,
  type ElfSymbol,
  findSection,
  openSymbols,
  readRelocations,
  sectionData,
} from "@kgraft/elf";

/** Whether a function of the file is one of those. */
export type IsSealed = (symbol: ElfSymbol) => boolean;

const sealSection = ".ibt_endbr_seal";

/**
 * Reads the list of an image or a module; it is decoded when it is asked first.
 *
 * @throws {ElfFormatError} when the file is malformed
 */
export function sealedIn(file: ElfFile): IsSealed {
  const section = findSection(file, sealSection);
  if (section === undefined) return () => false;
  // A module's list is relocated as it loads: each place by its section. An image's is a list of distances.
  const table = file.sections.find(
    ({ name, info }) => name === `.rela${sealSection}` && info === section.index,
  );
  const isRelocatable = file.type === ET_REL;
  if (isRelocatable && table === undefined) return () => false;
  if (isRelocatable && table !== undefined) {
    const symbols = openSymbols(file);
    const places = new Set(
      readRelocations(file, table).map(({ symbol, addend }) => {
        const { sectionIndex, value } = symbols.at(symbol);
        return `${sectionIndex} ${value + addend}`;
      }),
    );
    return ({ sectionIndex, value }) => places.has(`${sectionIndex} ${value}`);
  }
  const bytes = sectionData(file, section).slice();
  let places: Set<bigint> | undefined;
  return ({ value }) => {
    places ??= placesOf(bytes, section.address);
    return places.has(value);
  };
}

/** e_type of an object that is linked when it is loaded. */
const ET_REL = 1;

/** Each entry is a distance of four bytes from where it stands. */
function placesOf(bytes: Uint8Array, address: bigint): Set<bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places = new Set<bigint>();
  for (let at = 0; at + 4 <= bytes.length; at += 4)
    places.add(address + BigInt(at) + BigInt(view.getInt32(at, true)));
  return places;
}
