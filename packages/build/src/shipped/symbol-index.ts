/**
 * The symbols of a shipped object, as the livepatch core will look them up: by name, and by position among those of
 * one name. Positions are counted in the shipped file itself, in the order in which kallsyms has them, because that
 * is what the kernel counts: by address in vmlinux, by place in the symbol table in a module.
 * Source: klp_find_object_symbol() in kernel/livepatch/core.c; module_kallsyms_on_each_symbol() in
 * kernel/module/kallsyms.c; scripts/kallsyms.c for what vmlinux leaves out.
 */
import {
  type ElfSymbol,
  SHN_UNDEF,
  STB_LOCAL,
  STT_FILE,
  STT_SECTION,
  type SymbolRange,
  type SymbolTable,
} from "@kgraft/elf";

export class SymbolIndex {
  readonly #symbols: SymbolTable;
  readonly #order: "address" | "table";
  readonly #unstripped: SymbolTable;
  readonly #byName = new Map<string, readonly ElfSymbol[]>();

  /**
   * @param symbols the table that the running kernel has
   * @param order what positions are counted by
   * @param unstripped the table with the names of source files, where the kernel's own is stripped of them
   */
  constructor(symbols: SymbolTable, order: "address" | "table", unstripped: SymbolTable = symbols) {
    this.#symbols = symbols;
    this.#order = order;
    this.#unstripped = unstripped;
  }

  /** The one global symbol of that name, if the object defines it. */
  global(name: string): ElfSymbol | undefined {
    return this.#named(name).find(({ binding }) => binding !== STB_LOCAL);
  }

  /** Position as the livepatch core counts it: 0 for a name that occurs once, otherwise from 1. */
  symposOf({ name, index }: ElfSymbol): number {
    const namesakes = this.#named(name);
    return namesakes.length <= 1 ? 0 : namesakes.findIndex((one) => one.index === index) + 1;
  }

  /**
   * The local symbols of each file of that base name, such as the forty called `inode.c`. A table that is stripped of
   * files' names has its local symbols in one heap.
   */
  localsOfFiles(baseName: string): readonly (readonly ElfSymbol[])[] {
    const files = this.#unstripped.ofFile(baseName);
    if (files === undefined) return [locals(this.#symbols, { start: 0, end: this.#symbols.length })];
    return files.map((file) => this.#own(locals(this.#unstripped, file)));
  }

  /** All of that name that kallsyms has, in its order. */
  #named(name: string): readonly ElfSymbol[] {
    let known = this.#byName.get(name);
    if (known === undefined) {
      const named = this.#symbols.named(name).filter(isInKallsyms);
      known = this.#order === "table" ? named : named.toSorted(byAddress);
      this.#byName.set(name, known);
    }
    return known;
  }

  /** The kernel's own entries for symbols of the unstripped file: same name, section and place. */
  #own(symbols: readonly ElfSymbol[]): ElfSymbol[] {
    return symbols.flatMap(
      ({ name, sectionIndex, value }) =>
        this.#named(name).find((own) => own.sectionIndex === sectionIndex && own.value === value) ?? [],
    );
  }
}

function byAddress(a: ElfSymbol, b: ElfSymbol): number {
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

/** Whether the kernel's symbol table has it: scripts/kallsyms.c leaves out what modpost and the compiler made. */
function isInKallsyms(symbol: ElfSymbol): boolean {
  return (
    symbol.name !== "" &&
    symbol.sectionIndex !== SHN_UNDEF &&
    symbol.type !== STT_FILE &&
    symbol.type !== STT_SECTION &&
    !/^(\.L|\$|__crc_|__kstrtab_|__kstrtabns_|__efistub_)/.test(symbol.name)
  );
}

function locals(symbols: SymbolTable, { start, end }: SymbolRange): ElfSymbol[] {
  return Array.from({ length: end - start }, (_, index) => symbols.at(start + index)).filter(
    (symbol) => symbol.binding === STB_LOCAL && isInKallsyms(symbol),
  );
}
