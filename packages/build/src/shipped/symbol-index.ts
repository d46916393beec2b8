/**
 * The symbols of a shipped object, as the livepatch core will look them up: by name, and by position among those of
 * one name. Positions are counted in the shipped file itself, in the order in which kallsyms has them, because that
 * is what the kernel counts: by address in vmlinux, by place in the symbol table in a module.
 * Source: klp_find_object_symbol() in kernel/livepatch/core.c; module_kallsyms_on_each_symbol() in
 * kernel/module/kallsyms.c; scripts/kallsyms.c for what vmlinux leaves out.
 */
import { type ElfSymbol, SHN_UNDEF, STB_LOCAL, STT_FILE, STT_SECTION } from "@kgraft/elf";

export class SymbolIndex {
  readonly #byName: ReadonlyMap<string, readonly ElfSymbol[]>;
  /** Local symbols of each compiled file, by the file's base name: one list for each file of that name. */
  readonly #files: ReadonlyMap<string, readonly (readonly ElfSymbol[])[]>;

  /**
   * @param symbols the table that the running kernel has
   * @param order what positions are counted by
   * @param unstripped the table with the names of source files, where the kernel's own is stripped of them
   */
  constructor(
    symbols: readonly ElfSymbol[],
    order: "address" | "table",
    unstripped: readonly ElfSymbol[] = symbols,
  ) {
    const named = symbols.filter(isInKallsyms);
    if (order === "address") named.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
    this.#byName = Map.groupBy(named, ({ name }) => name);
    const files = Map.groupBy(fileBlocks(unstripped), ({ file }) => file);
    this.#files = new Map(
      [...files].map(([file, blocks]) => [file, blocks.map((block) => this.#own(block.symbols))]),
    );
  }

  /** The one global symbol of that name, if the object defines it. */
  global(name: string): ElfSymbol | undefined {
    return this.#byName.get(name)?.find(({ binding }) => binding !== STB_LOCAL);
  }

  /** Position as the livepatch core counts it: 0 for a name that occurs once, otherwise from 1. */
  symposOf(symbol: ElfSymbol): number {
    const namesakes = this.#byName.get(symbol.name) ?? [];
    return namesakes.length <= 1 ? 0 : namesakes.indexOf(symbol) + 1;
  }

  /**
   * The local symbols of each file of that base name, such as the forty called `inode.c`. A table that is stripped of
   * files' names has its local symbols in one heap.
   */
  localsOfFiles(baseName: string): readonly (readonly ElfSymbol[])[] {
    if (this.#files.size > 0) return this.#files.get(baseName) ?? [];
    return [[...this.#byName.values()].flat().filter(({ binding }) => binding === STB_LOCAL)];
  }

  /** The kernel's own entries for symbols of the unstripped file: same name, section and place. */
  #own(symbols: readonly ElfSymbol[]): ElfSymbol[] {
    return symbols.flatMap(
      ({ name, sectionIndex, value }) =>
        this.#byName.get(name)?.find((own) => own.sectionIndex === sectionIndex && own.value === value) ?? [],
    );
  }
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

interface FileBlock {
  readonly file: string;
  readonly symbols: readonly ElfSymbol[];
}

/** The linker keeps each object's local symbols together, after a symbol with the name of its source file. */
function fileBlocks(symbols: readonly ElfSymbol[]): FileBlock[] {
  const blocks: { file: string; symbols: ElfSymbol[] }[] = [];
  for (const symbol of symbols) {
    if (symbol.type === STT_FILE) blocks.push({ file: symbol.name.split("/").at(-1) ?? "", symbols: [] });
    else if (symbol.binding === STB_LOCAL && isInKallsyms(symbol)) blocks.at(-1)?.symbols.push(symbol);
  }
  return blocks;
}
