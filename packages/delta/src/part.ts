/**
 * A part of an object: a piece that is kept or left as a whole. A function, a variable, a string, a constant, or a
 * nameless run of bytes that something points at.
 */
import {
  type ObjectSection,
  type ObjectSymbol,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  STB_GLOBAL,
  STB_LOCAL,
  STT_NOTYPE,
  STT_SECTION,
} from "@kgraft/elf";

export interface Part {
  readonly section: ObjectSection;
  /** Offset of its first byte in the section. */
  readonly start: number;
  readonly end: number;
  /** The main symbol's name; undefined for strings and nameless runs. */
  readonly name: string | undefined;
  /** All symbols that lie in it, sections' own excepted. */
  readonly symbols: readonly ObjectSymbol[];
  readonly kind: PartKind;
}

export type PartKind =
  /** Code with a name. */
  | "function"
  /** A variable or table with a name, and with an identity: others may hold its address. */
  | "data"
  /** A static local that is read only and points nowhere: it has a name, but what matters is its contents. */
  | "constant"
  /** A constant that is known by its contents only. */
  | "literal"
  /** A macro's own writable static, bound to one place in the code. */
  | "site-static"
  /** Bytes without a name that something points at: alternatives, out-of-line code. */
  | "nameless";

/**
 * Sections that are not in the running kernel: debug data, notes, what the linker throws away (DISCARDS in
 * include/asm-generic/vmlinux.lds.h). The kernel unwinds by tables of its own, and is compiled without DWARF's
 * (`.eh_frame`).
 */
export function isIgnored(section: ObjectSection): boolean {
  return (
    (section.flags & SHF_ALLOC) === 0 ||
    /^\.(discard|note|comment|llvm_addrsig|eh_frame|export_symbol|no_trim_symbol)/.test(section.name) ||
    section.name === "__tracepoint_check"
  );
}

/** Code and data that the kernel frees after boot or after a module has loaded. */
export function isInit({ section }: Part): boolean {
  return isInitSection(section);
}

export function isInitSection({ name }: ObjectSection): boolean {
  return /^\.(init|meminit|head)\./.test(name);
}

export function isCode(section: ObjectSection): boolean {
  return (section.flags & SHF_EXECINSTR) !== 0;
}

/**
 * Sections that hold code, variables, constants and strings, whatever attribute chose them. Descriptors of debug
 * messages (`__dyndbg`) and strings for tools that read traces are among them: a live patch is a module, and a module
 * brings its own.
 */
export function isStorage(section: ObjectSection): boolean {
  return (
    isCode(section) ||
    /^\.(data|rodata|bss|ref\.data|(init|exit|meminit|memexit)\.(data|rodata)|altinstr|kgraft)/.test(
      section.name,
    ) ||
    /^__(bss|dyndbg|tracepoint_str|trace_printk_fmt)/.test(section.name)
  );
}

/**
 * Per-cpu data of vmlinux lies in several sections, sorted by how it is used (PERCPU_INPUT in
 * include/asm-generic/vmlinux.lds.h). The module loader knows one (find_pcpusec() in kernel/module/main.c): in any other
 * a variable would be no per-cpu one, and code would reach for it where nothing is.
 */
export function sectionNameInModule({ name }: ObjectSection): string {
  return /^\.data\.\.percpu\.\.(read_mostly|shared_aligned|hot\.)/.test(name) ? ".data..percpu" : name;
}

/**
 * Memory with a property that only vmlinux's has: not encrypted where the guest's is, left out of the image of a
 * hibernated machine, whole pages of each processor's.
 */
export function isBootMemory({ name }: ObjectSection): boolean {
  return /^\.(data|bss)\.\.(decrypted|nosave|percpu\.\.(decrypted|page_aligned|first))/.test(name);
}

/** What the author tells the builder (linux/kgraft.h): callbacks and states. It is carried in any case. */
export function isDeclaration({ section }: Part): boolean {
  return section.name.startsWith(".kgraft.");
}

export function isWritable(part: Part): boolean {
  return (part.section.flags & SHF_WRITE) !== 0 && !part.section.name.startsWith(".data.rel.ro");
}

/** The bytes of a part; none of memory without contents. */
export function partBytes({ section, start, end }: Part): Uint8Array {
  return section.data.subarray(start, end);
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** How messages call a part. */
export function describe(part: Part): string {
  return part.name ?? `${part.section.name}+0x${part.start.toString(16)}`;
}

/** A symbol for the start of a section, as the assembler makes one for each. */
export function sectionSymbol(section: ObjectSection): ObjectSymbol {
  return {
    name: "",
    binding: STB_LOCAL,
    type: STT_SECTION,
    other: 0,
    place: { kind: "section", section },
    value: 0,
    sizeBytes: 0,
  };
}

/** A name that something else defines. */
export function undefinedSymbol(name: string): ObjectSymbol {
  return {
    name,
    binding: STB_GLOBAL,
    type: STT_NOTYPE,
    other: 0,
    place: { kind: "undefined" },
    value: 0,
    sizeBytes: 0,
  };
}
