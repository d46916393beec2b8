/**
 * Types as the kernel and the compiler describe them, from a section `.BTF`: sizes, members and offsets of named
 * structures and unions. A live patch writes entries of kernel tables and structures of the livepatch core, and those
 * differ between kernels of one version number; and no live patch may change the layout of data that is in use.
 * Source: Documentation/bpf/btf.rst of the kernel; include/uapi/linux/btf.h.
 */
import { type ElfFile, findSection, sectionData, type StringTable, stringTable } from "@kgraft/elf";
import { BadInput } from "./errors.ts";

export interface StructLayout {
  /** `struct klp_patch`, `union bpf_attr`. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * Members by name, those of nameless inner structures among them: `m` where the inner structure is no member's type
   * by itself, `member.m` where it is, `member[].m` where the member is an array of it.
   */
  readonly members: ReadonlyMap<string, MemberLayout>;
}

export interface MemberLayout {
  /** From the start of the whole structure. */
  readonly offsetBits: number;
  /** Of its type, or of the bit field. */
  readonly sizeBits: number;
  /**
   * The structure, union or enumeration that it is, holds or points to, in C's words; after it what that wraps and
   * nothing else (`struct spinlock`, `struct raw_spinlock`). Empty for numbers, functions and what has no name.
   */
  readonly types: readonly string[];
}

const BTF_MAGIC = 0xeb9f;
const KIND_POINTER = 2;
const KIND_ARRAY = 3;
const KIND_STRUCT = 4;
const KIND_UNION = 5;
const KIND_ENUM = 6;
const KIND_FORWARD = 7;
const KIND_TYPEDEF = 8;
const KIND_ENUM64 = 19;
/** typedef, volatile, const, restrict, type tag: another type under a name or a qualifier */
const ALIASES: ReadonlySet<number> = new Set([KIND_TYPEDEF, 9, 10, 11, 18]);
/**
 * By kind, what follows a type's common 12 bytes: once (int, array, variable, declaration tag), and for each member,
 * enumerator, parameter or variable of a section.
 */
const fixedBytes = [undefined, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
const entryBytes = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];
/** No structure nests deeper; a chain of types that does is a loop. */
const MAX_DEPTH = 64;

/**
 * Layouts by name: of the structures and unions that are asked for, or of all; a nameless one that a typedef names
 * under `typedef name`. Of several of one name the first.
 * Throws BadInput for a file without type information, or with information that is malformed.
 */
export function readStructLayouts(file: ElfFile, names?: Iterable<string>): Map<string, StructLayout> {
  const section = findSection(file, ".BTF");
  if (section === undefined) throw unreadable(file, "no section .BTF", "one");
  const types = new Types(file, sectionData(file, section));
  const wanted = names === undefined ? undefined : new Set(names);
  const layouts = new Map<string, StructLayout>();
  for (let id = 1; id <= types.count; id++) {
    if (wanted?.size === 0) break;
    const named = types.namedStructure(id);
    if (named === undefined || layouts.has(named.key)) continue;
    if (wanted !== undefined && !wanted.delete(named.key)) continue;
    const members = new Map<string, MemberLayout>();
    types.collectMembers(named.id, { startBits: 0, prefix: "", depth: 0 }, members);
    layouts.set(named.key, { name: named.name, sizeBytes: types.type(named.id).sizeBytes, members });
  }
  return layouts;
}

export interface Enumerator {
  readonly value: bigint;
  /** Whether it closes its enumeration, as a count of the others does. */
  readonly isLast: boolean;
}

/** All enumerators by name. Throws as {@link readStructLayouts} does. */
export function readEnumerators(file: ElfFile): Map<string, Enumerator> {
  const section = findSection(file, ".BTF");
  if (section === undefined) throw unreadable(file, "no section .BTF", "one");
  const types = new Types(file, sectionData(file, section));
  const enumerators = new Map<string, Enumerator>();
  for (let id = 1; id <= types.count; id++) types.collectEnumerators(id, enumerators);
  return enumerators;
}

interface Type {
  readonly kind: number;
  readonly name: string;
  /** How many members, enumerators or parameters follow. */
  readonly count: number;
  readonly hasBitFields: boolean;
  /** Size, or for aliases and pointers the id of the other type. */
  readonly sizeBytes: number;
  /** Where what follows begins. */
  readonly at: number;
}

/** Where in the whole an inner structure lies, and what its members' names begin with. */
interface Inside {
  readonly startBits: number;
  readonly prefix: string;
  readonly depth: number;
}

class Types {
  readonly #file: ElfFile;
  readonly #view: DataView;
  readonly #strings: StringTable;
  /** Offset of each type; ids count from 1. */
  readonly #offsets: number[] = [0];

  constructor(file: ElfFile, bytes: Uint8Array) {
    this.#file = file;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 24 || this.#view.getUint16(0, true) !== BTF_MAGIC)
      throw unreadable(file, "no BTF header", `magic 0x${BTF_MAGIC.toString(16)}`);
    const [header, typesAt, typesSize, stringsAt, stringsSize] = [4, 8, 12, 16, 20].map((at) =>
      this.#view.getUint32(at, true),
    ) as [number, number, number, number, number];
    const end = header + typesAt + typesSize;
    if (end > bytes.length || header + stringsAt + stringsSize > bytes.length)
      throw unreadable(file, `types that end at byte ${end}`, `at most ${bytes.length}`);
    this.#strings = stringTable(bytes.subarray(header + stringsAt, header + stringsAt + stringsSize));
    for (let at = header + typesAt; at + 12 <= end; at += 12 + this.#extraSize(at)) this.#offsets.push(at);
  }

  get count(): number {
    return this.#offsets.length - 1;
  }

  #kindOf(id: number): number {
    const at = this.#offsets[id] ?? 0;
    return at === 0 ? 0 : (this.#view.getUint32(at + 4, true) >> 24) & 0x1f;
  }

  type(id: number): Type {
    const at = this.#offsets[id];
    if (at === undefined || at === 0)
      return { kind: 0, name: "", count: 0, hasBitFields: false, sizeBytes: 0, at: 0 };
    const info = this.#view.getUint32(at + 4, true);
    return {
      kind: (info >> 24) & 0x1f,
      name: this.#strings.at(this.#view.getUint32(at, true)) ?? "",
      count: info & 0xffff,
      hasBitFields: info >>> 31 === 1,
      sizeBytes: this.#view.getUint32(at + 8, true),
      at: at + 12,
    };
  }

  /** The structure or union that this type names; undefined where it names none. */
  namedStructure(
    id: number,
  ): { readonly id: number; readonly key: string; readonly name: string } | undefined {
    // A kernel has a hundred thousand types, most of them of other kinds.
    if (!mayNameStructure(this.#kindOf(id))) return undefined;
    const { kind, name, sizeBytes: target } = this.type(id);
    if (name === "") return undefined;
    if (isStructure(kind)) return { id, key: name, name: spelled(kind, name) };
    const isNameless = (of: Type): boolean => isStructure(of.kind) && of.name === "";
    if (kind !== KIND_TYPEDEF || !isNameless(this.type(target))) return undefined;
    return { id: target, key: `typedef ${name}`, name: `typedef ${name}` };
  }

  /** Members of a structure, into `members`. */
  collectMembers(id: number, inside: Inside, members: Map<string, MemberLayout>): void {
    const { at, count, hasBitFields } = this.type(id);
    const depth = inside.depth + 1;
    if (at + count * 12 > this.#view.byteLength || depth > MAX_DEPTH)
      throw unreadable(this.#file, `structure ${id} with ${count} members`, "a whole one");
    for (let entry = at; entry < at + count * 12; entry += 12) {
      const name = this.#strings.at(this.#view.getUint32(entry, true)) ?? "";
      const inner = this.#view.getUint32(entry + 4, true);
      const offset = this.#view.getUint32(entry + 8, true);
      const startBits = inside.startBits + (hasBitFields ? offset & 0xff_ffff : offset);
      const path = inside.prefix + name;
      if (name !== "")
        members.set(path, {
          offsetBits: startBits,
          sizeBits: (hasBitFields ? offset >>> 24 : 0) || this.#sizeBits(inner, depth),
          types: this.#names(inner, depth),
        });
      const [element, suffix] = this.#element(inner, depth);
      const { kind, name: own } = this.type(element);
      if (isStructure(kind) && own === "")
        this.collectMembers(element, { startBits, prefix: name && `${path}${suffix}.`, depth }, members);
    }
  }

  /** Enumerators of an enumeration, into `enumerators`; none of any other type. */
  collectEnumerators(id: number, enumerators: Map<string, Enumerator>): void {
    const { kind, at, count } = this.type(id);
    if (kind !== KIND_ENUM && kind !== KIND_ENUM64) return;
    const size = kind === KIND_ENUM ? 8 : 12;
    if (at + count * size > this.#view.byteLength)
      throw unreadable(this.#file, `enumeration ${id} with ${count} values`, "a whole one");
    for (let index = 0, entry = at; index < count; index++, entry += size) {
      const name = this.#strings.at(this.#view.getUint32(entry, true)) ?? "";
      const value =
        kind === KIND_ENUM
          ? BigInt(this.#view.getInt32(entry + 4, true))
          : this.#view.getBigInt64(entry + 4, true);
      enumerators.set(name, { value, isLast: index === count - 1 });
    }
  }

  #sizeBits(id: number, depth: number): number {
    const { kind, sizeBytes, at } = this.type(id);
    if (depth > MAX_DEPTH) throw unreadable(this.#file, `type ${id} that leads to itself`, "one that ends");
    if (ALIASES.has(kind)) return this.#sizeBits(sizeBytes, depth + 1);
    if (kind === KIND_POINTER) return 64;
    if (kind !== KIND_ARRAY) return sizeBytes * 8;
    return this.#sizeBits(this.#view.getUint32(at, true), depth + 1) * this.#view.getUint32(at + 8, true);
  }

  /** What an array consists of, and how its members are reached; of any other type itself. */
  #element(id: number, depth: number): readonly [id: number, suffix: string] {
    const { kind, at } = this.type(id);
    if (kind !== KIND_ARRAY || depth > MAX_DEPTH) return [id, ""];
    const [element, suffix] = this.#element(this.#view.getUint32(at, true), depth + 1);
    return [element, `[]${suffix}`];
  }

  /** {@link MemberLayout.types} */
  #names(id: number, depth: number, isPointedTo = false): string[] {
    const { kind, name, sizeBytes, at, count, hasBitFields } = this.type(id);
    if (depth > MAX_DEPTH) throw unreadable(this.#file, `type ${id} that leads to itself`, "one that ends");
    const names = (of: number, behind = isPointedTo): string[] => this.#names(of, depth + 1, behind);
    if (ALIASES.has(kind)) {
      const own = this.namedStructure(id);
      return own === undefined ? names(sizeBytes) : [name, ...names(sizeBytes)];
    }
    if (kind === KIND_POINTER)
      return names(sizeBytes, true).map((of) => (of.endsWith("*") ? `${of}*` : `${of} *`));
    if (kind === KIND_ARRAY) return names(this.#view.getUint32(at, true)).map((of) => `${of}[]`);
    const own = name === "" ? [] : [spelled(kind, name)];
    if (isStructure(kind)) {
      const wrapped = count === 1 && !isPointedTo ? this.#view.getUint32(at + 4, true) : 0;
      const isWrapper = wrapped !== 0 && this.#sizeBits(wrapped, depth + 1) === sizeBytes * 8;
      return isWrapper ? [...own, ...names(wrapped)] : own;
    }
    // Of a type that is only declared, the flag says that it is a union.
    if (kind === KIND_FORWARD) return [spelled(hasBitFields ? KIND_UNION : KIND_STRUCT, name)];
    return kind === KIND_ENUM || kind === KIND_ENUM64 ? own : [];
  }

  /** Bytes after the common 12 of the type at this offset. */
  #extraSize(at: number): number {
    const info = this.#view.getUint32(at + 4, true);
    const kind = (info >> 24) & 0x1f;
    const fixed = fixedBytes[kind];
    if (fixed === undefined) throw unreadable(this.#file, `kind ${kind}`, "1 to 19");
    return fixed + entryBytes[kind]! * (info & 0xffff); // as long as the other
  }
}

function isStructure(kind: number): boolean {
  return kind === KIND_STRUCT || kind === KIND_UNION;
}

function mayNameStructure(kind: number): boolean {
  return isStructure(kind) || kind === KIND_TYPEDEF;
}

/** In C's words. */
function spelled(kind: number, name: string): string {
  if (kind === KIND_UNION) return `union ${name}`;
  return kind === KIND_ENUM || kind === KIND_ENUM64 ? `enum ${name}` : `struct ${name}`;
}

function unreadable(file: ElfFile, found: string, wanted: string): BadInput {
  return new BadInput(`read types of ${file.source.name}`, found, wanted);
}
