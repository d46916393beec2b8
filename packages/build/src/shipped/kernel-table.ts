/**
 * What one symbol table tells of a kernel object, where the rest of the kernel is not at hand: an ELF image (vmlinux, a
 * module), or what `readelf -s --wide` printed of one.
 */
import { sizedTypes } from "@kgraft/delta";
import {
  type ElfFile,
  ElfFormatError,
  type ElfSymbol,
  findSection,
  openSymbols,
  SHN_ABS,
  SHN_COMMON,
  SHN_UNDEF,
  type SymbolTable,
  symbolTable,
} from "@kgraft/elf";
import { readStructLayouts } from "@kgraft/kernel/files";
import { type IsSealed, sealedBy, sealedIn, type SealedList, sealedListOf } from "./sealed.ts";

export interface KernelTable {
  readonly symbols: SymbolTable;
  /** The kernel's structures that tables of code are made of, where the image has type information (BTF). */
  readonly layouts: ReadonlyMap<string, { readonly sizeBytes: number }>;
  /** Which functions may not be called indirectly, where an image tells. */
  readonly isSealed: IsSealed | undefined;
  /** What tells it, where that is an image's own list. */
  readonly sealedList?: SealedList;
}

/** @throws {ElfFormatError} when the image has no symbols, or is malformed */
export function tableOfImage(file: ElfFile): KernelTable {
  const symbols = openSymbols(file);
  if (symbols.length === 0) throw noSymbols(file.source.name, "section .symtab");
  const hasTypes = findSection(file, ".BTF") !== undefined;
  const layouts = hasTypes ? readStructLayouts(file, sizedTypes) : new Map();
  const sealedList = sealedListOf(file);
  if (sealedList === undefined) return { symbols, layouts, isSealed: sealedIn(file) };
  return { symbols, layouts, isSealed: sealedBy(sealedList), sealedList };
}

const row =
  /^\s*(?<index>\d+): (?<value>[0-9a-f]{16})\s+(?<size>\d+|0x[0-9a-f]+) (?<type>\S+)\s+(?<binding>\S+)\s+\S+\s+(?:\[[^\]]*\]\s+)?(?<section>[A-Z]+(?:\[0x[0-9a-f]+\])?|\d+) ?(?<name>.*)$/;

const types: Readonly<Record<string, number>> = {
  NOTYPE: 0,
  OBJECT: 1,
  FUNC: 2,
  SECTION: 3,
  FILE: 4,
  COMMON: 5,
  TLS: 6,
  IFUNC: 10,
};
const bindings: Readonly<Record<string, number>> = { LOCAL: 0, GLOBAL: 1, WEAK: 2, UNIQUE: 10 };
const reservedSections: Readonly<Record<string, number>> = { ABS: SHN_ABS, COM: SHN_COMMON };

/**
 * Reads the table `.symtab` in the output of `readelf -s --wide`.
 *
 * @param name what to call the text in messages
 * @throws {ElfFormatError} when it is anything else, or names in it are cut short
 */
export function tableOfText(name: string, text: string): KernelTable {
  const symbols: ElfSymbol[] = [];
  let isSymtab = true;
  for (const [number, line] of text.split("\n").entries()) {
    const title = /^Symbol table '([^']*)' contains/.exec(line)?.[1];
    if (title !== undefined) isSymtab = title === ".symtab";
    if (!/^\s*\d+:/.test(line) || !isSymtab) continue;
    const symbol = symbolOf(line);
    if (symbol === undefined) {
      throw new ElfFormatError(
        `cannot read symbols of ${name}: line ${number + 1} is ${JSON.stringify(line.slice(0, 100))}, wanted a whole line of readelf -s --wide`,
      );
    }
    symbols.push(symbol);
  }
  if (symbols.length === 0) throw noSymbols(name, "lines of readelf -s --wide, or an ELF image");
  return { symbols: symbolTable(symbols), layouts: new Map(), isSealed: undefined };
}

function symbolOf(line: string): ElfSymbol | undefined {
  const fields = row.exec(line)?.groups;
  if (fields === undefined) return undefined;
  const { index = "", value = "", size = "", section = "", name = "" } = fields;
  const type = types[fields["type"] ?? ""] ?? 0;
  const binding = bindings[fields["binding"] ?? ""];
  // Without --wide a long name ends in this.
  if (binding === undefined || name.endsWith("[...]") || name.includes("\0")) return undefined;
  const reserved = reservedSections[section];
  const plain = section === "UND" ? SHN_UNDEF : Number(section);
  if (reserved === undefined && !(plain < 2 ** 32)) return undefined;
  return {
    index: Number(index) as ElfSymbol["index"],
    // A section's symbol has no name: readelf shows the section's instead.
    name: type === types["SECTION"] ? "" : name,
    binding,
    type,
    other: 0,
    sectionIndex: reserved ?? plain,
    reserved: reserved !== undefined,
    value: BigInt(`0x${value}`),
    sizeBytes: Number(size),
  };
}

function noSymbols(name: string, wanted: string): ElfFormatError {
  return new ElfFormatError(`cannot read symbols of ${name}: found none, wanted ${wanted}`);
}
