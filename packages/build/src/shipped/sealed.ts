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

/** An image's list as it stands there: distances of four bytes, each from where it stands. */
export interface SealedList {
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/**
 * Reads the list of an image or a module.
 *
 * @throws {ElfFormatError} when the file is malformed
 */
export function sealedIn(file: ElfFile): IsSealed {
  const list = sealedListOf(file);
  return list === undefined ? sealedInModule(file) : sealedBy(list);
}

/** The list of an image, empty where it has none; undefined of a module, whose list is relocated as it loads. */
export function sealedListOf(file: ElfFile): SealedList | undefined {
  if (file.type === ET_REL) return undefined;
  const section = findSection(file, sealSection);
  if (section === undefined) return { address: 0n, bytes: new Uint8Array(0) };
  return { address: section.address, bytes: sectionData(file, section).slice() };
}

/** By an image's list; it is decoded when it is asked first. */
export function sealedBy({ address, bytes }: SealedList): IsSealed {
  let places: Set<bigint> | undefined;
  return ({ value }) => {
    places ??= placesOf(bytes, address);
    return places.has(value);
  };
}

/** A module's list says each place by its section. */
function sealedInModule(file: ElfFile): IsSealed {
  const section = findSection(file, sealSection);
  const table = file.sections.find(
    ({ name, info }) => name === `.rela${sealSection}` && info === section?.index,
  );
  if (table === undefined) return () => false;
  const symbols = openSymbols(file);
  const places = new Set(
    readRelocations(file, table).map(({ symbol, addend }) => {
      const { sectionIndex, value } = symbols.at(symbol);
      return `${sectionIndex} ${value + addend}`;
    }),
  );
  return ({ sectionIndex, value }) => places.has(`${sectionIndex} ${value}`);
}

/** e_type of an object that is linked when it is loaded. */
const ET_REL = 1;

function placesOf(bytes: Uint8Array, address: bigint): Set<bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places = new Set<bigint>();
  for (let at = 0; at + 4 <= bytes.length; at += 4)
    places.add(address + BigInt(at) + BigInt(view.getInt32(at, true)));
  return places;
}
