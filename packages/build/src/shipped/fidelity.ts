/**
 * Proof that what is patched is what runs: each function that the patch replaces was compiled once more, from the
 * original source and without the options that split sections, and is compared byte by byte with the shipped kernel.
 * Fields that the linker or loader fills are left out; everything else must be equal. Where it is not, compiler,
 * configuration or source are not the distribution's, and a patch made with them would be a guess.
 *
 * In vmlinux, where the fields are filled, calls of global names must also lead where these are.
 *
 * Left out too are the instructions of static branches: the compiler leaves a jump, and objtool turns it into a no-op
 * of the same length; on kernels that run it late, the object here has the one and the shipped kernel the other.
 */
import {
  type ElfObject,
  type ElfSymbol,
  type ObjectSection,
  type ObjectSymbol,
  sectionNamed,
  sectionOf,
  STB_LOCAL,
  STT_FUNC,
} from "@kgraft/elf";
import type { UnitReason } from "../errors.ts";
import { type ShippedObject, shippedCode } from "./shipped-kernel.ts";
import type { UnitTarget } from "./link-target.ts";

/** Every relocation of code that the kernel knows fills four bytes or eight; eight are 64-bit absolute ones. */
const wideTypes: ReadonlySet<number> = new Set([1, 24]);

/** Why one replaced function differs from the shipped one; nothing when it is equal. */
export function checkFidelity(
  unit: string,
  name: string,
  asShipped: ElfObject,
  shipped: ShippedObject,
  target: UnitTarget,
): UnitReason[] {
  const refuse = (message: string): UnitReason[] => [
    {
      code: "not-as-shipped",
      unit,
      subject: name,
      message,
      hint: "compiler, configuration or source differ from the distribution's: kgraft kernel list shows which compiler it was",
    },
  ];
  const compiled = asShipped.symbols.find((symbol) => symbol.name === name && symbol.type === STT_FUNC);
  if (compiled === undefined || compiled.place.kind !== "section") {
    return refuse(`${name} is not a function of ${unit} when it is compiled as the distribution does`);
  }
  const found = target.find({ name, local: compiled.binding === 0 });
  if ("kind" in found) return refuse(`${name} cannot be found in the shipped ${shipped.name}: ${found.why}`);
  if (found.sizeBytes !== compiled.sizeBytes) {
    return refuse(
      `${name} has ${compiled.sizeBytes} bytes when compiled here, ${found.sizeBytes} in the shipped ${shipped.name}`,
    );
  }
  const ours = codeOf(asShipped, compiled, compiled.place.section);
  const code = shipped.withFile((file) => shippedCode(file, found, compiled.sizeBytes));
  for (let at = 0; at < compiled.sizeBytes; at++) {
    const field = ours.fields.get(at);
    if (field !== undefined) at += field - 1;
    else if (ours.bytes[at] !== code[at]) {
      return refuse(
        `${name} differs from the shipped ${shipped.name} at offset 0x${at.toString(16)}: compiled here ${hex(ours.bytes[at])}, shipped ${hex(code[at])}`,
      );
    }
  }
  return misledCall(unit, name, compiled, found, code, shipped);
}

/** Relocations relative to the instruction pointer, which the linker has resolved in vmlinux: PC32 and PLT32. */
const relativeTypes: ReadonlySet<number> = new Set([2, 4]);

/**
 * In vmlinux the fields are filled, so where a call of a global name leads can be compared as well: two functions of
 * equal bytes may still call others.
 */
function misledCall(
  unit: string,
  name: string,
  compiled: ObjectSymbol,
  found: ElfSymbol,
  code: Uint8Array,
  shipped: ShippedObject,
): UnitReason[] {
  if (shipped.name !== "vmlinux") return [];
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  for (const { offset, type, symbol, addend } of sectionOf(compiled)?.relocations ?? []) {
    const at = offset - compiled.value;
    const target = symbol.binding === STB_LOCAL ? undefined : shipped.symbols.global(symbol.name);
    if (at < 0 || at >= compiled.sizeBytes || !relativeTypes.has(type) || target === undefined) continue;
    const reached = found.value + BigInt(at) + BigInt(view.getInt32(at, true)) - BigInt(addend);
    // Per-cpu variables lie at addresses near zero, half an address space away.
    if (BigInt.asUintN(64, reached) === target.value) continue;
    const message = `${name} reaches ${symbol.name} at offset 0x${at.toString(16)} when compiled here, and something else in the shipped ${shipped.name}`;
    return [{ code: "not-as-shipped", unit, subject: name, message }];
  }
  return [];
}

function codeOf(
  object: ElfObject,
  symbol: ObjectSymbol,
  section: ObjectSection,
): { bytes: Uint8Array; fields: Map<number, number> } {
  const bytes = section.data.subarray(symbol.value, symbol.value + symbol.sizeBytes);
  const fields = new Map<number, number>();
  const add = (offset: number, sizeBytes: number): void => {
    const at = offset - symbol.value;
    if (at >= 0 && at < symbol.sizeBytes) fields.set(at, sizeBytes);
  };
  for (const { offset, type } of section.relocations) add(offset, wideTypes.has(type) ? 8 : 4);
  for (const branch of staticBranches(object, section)) add(branch, branchSizeBytes(section.data, branch));
  return { bytes, fields };
}

/** Where the static branches of a section are, by the kernel's table of them: each entry begins with its code. */
function staticBranches(object: ElfObject, section: ObjectSection): number[] {
  const table = sectionNamed(object, "__jump_table");
  if (table === undefined) return [];
  const fields = table.relocations.toSorted((a, b) => a.offset - b.offset);
  // Three relocations an entry: code, target, key.
  return fields.flatMap(({ symbol, addend }, index) =>
    index % 3 === 0 && sectionOf(symbol) === section ? [symbol.value + addend] : [],
  );
}

/** Two bytes for a short jump and its no-op (66 90), five for a near jump and its no-op (0f 1f 44 00 00). */
function branchSizeBytes(code: Uint8Array, offset: number): number {
  return code[offset] === 0xeb || code[offset] === 0x66 ? 2 : 5;
}

function hex(byte: number | undefined): string {
  return byte === undefined ? "nothing" : `0x${byte.toString(16).padStart(2, "0")}`;
}
