/**
 * Types as the kernel and the compiler describe them, from a section `.BTF`: sizes, members and offsets of named
 * structures and unions. A live patch writes entries of kernel tables and structures of the livepatch core, and those
 * differ between kernels of one version number; and no live patch may change the layout of data that is in use.
 * Source: Documentation/bpf/btf.rst of the kernel; include/uapi/linux/btf.h.
 */
import {
  type ElfFile,
  findSection,
  sectionData,
  type SectionHeader,
  type StringTable,
  stringTable,
  wordsOf,
} from "@kgraft/elf";
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
const KIND_FUNCTION = 12;
const KIND_VARIABLE = 14;
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
  const types = new Types(file, typeData(file, section));
  const wanted = names === undefined ? undefined : new Set(names);
  const layouts = new Map<string, StructLayout>();
  for (const id of types.mayNameStructure(wanted)) {
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
  const types = new Types(file, typeData(file, section));
  const enumerators = new Map<string, Enumerator>();
  for (let id = 1; id <= types.count; id++) types.collectEnumerators(id, enumerators);
  return enumerators;
}

/** What a variable, a parameter or a result is. */
export interface DeclaredType extends Pick<MemberLayout, "sizeBits" | "types"> {
  /** Of an array one element, of anything else itself. */
  readonly elementBits: number;
}

export interface Declarations {
  /** Variables of the file, and those of others that it uses; without static locals. */
  readonly variables: ReadonlyMap<string, DeclaredType>;
  /** Functions of the file: the result, then the parameters. */
  readonly functions: ReadonlyMap<string, readonly DeclaredType[]>;
}

/** What the variables and functions of a unit are. Throws as {@link readStructLayouts} does. */
export function readDeclarations(file: ElfFile): Declarations {
  const section = findSection(file, ".BTF");
  if (section === undefined) throw unreadable(file, "no section .BTF", "one");
  const types = new Types(file, sectionData(file, section));
  const variables = new Map<string, DeclaredType>();
  const functions = new Map<string, readonly DeclaredType[]>();
  for (let id = 1; id <= types.count; id++) {
    const { kind, name, sizeBytes: of } = types.type(id);
    if (kind === KIND_VARIABLE) variables.set(name, types.declared(of));
    if (kind === KIND_FUNCTION) functions.set(name, types.prototypeOf(of));
  }
  return { variables, functions };
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
  readonly #words: Uint32Array;
  /** Where the words begin. */
  readonly #start: number;
  /** Where in the words each type begins; ids count from 1. */
  readonly #places: Uint32Array;

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
    this.#start = header + typesAt;
    this.#words = wordsOf(bytes.subarray(this.#start, end));
    this.#places = placesOf(this.#words, (kind) => {
      throw unreadable(file, `kind ${kind}`, "1 to 19");
    });
  }

  get count(): number {
    return this.#places.length - 1;
  }

  type(id: number): Type {
    const place = id === 0 ? undefined : this.#places[id];
    if (place === undefined) return { kind: 0, name: "", count: 0, hasBitFields: false, sizeBytes: 0, at: 0 };
    const at = this.#start + place * 4;
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

  /** Types that structures may be named by, in order; where names are given only those that may have one of them. */
  mayNameStructure(keys?: ReadonlySet<string>): number[] {
    return structureNames(this.#words, this.#places, keys && this.#offsetsOf(keys));
  }

  /** Where strings of that name are; a name may be the end of another's. */
  #offsetsOf(keys: ReadonlySet<string>): Set<number> {
    const { bytes } = this.#strings;
    const strings = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const offsets = new Set<number>();
    for (const key of keys) {
      const name = `${key.replace("typedef ", "")}\0`;
      for (let at = strings.indexOf(name); at >= 0; at = strings.indexOf(name, at + 1)) offsets.add(at);
    }
    return offsets;
  }

  /** The structure or union that this type names; undefined where it names none. */
  namedStructure(
    id: number,
  ): { readonly id: number; readonly key: string; readonly name: string } | undefined {
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

  declared(id: number): DeclaredType {
    const [element] = this.#element(id, 0);
    return {
      types: this.#names(id, 0),
      sizeBits: this.#sizeBits(id, 0),
      elementBits: this.#sizeBits(element, 0),
    };
  }

  /** The result and the parameters of a function's type. */
  prototypeOf(id: number): DeclaredType[] {
    const { at, count, sizeBytes: result } = this.type(id);
    if (at + count * 8 > this.#view.byteLength)
      throw unreadable(this.#file, `function ${id} with ${count} parameters`, "a whole one");
    const parameters = Array.from({ length: count }, (_, index) =>
      this.#view.getUint32(at + index * 8 + 4, true),
    );
    return [result, ...parameters].map((type) => this.declared(type));
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
}

/**
 * Where each type begins, in words; nothing of id 0. A loop without calls, as the next one: a kernel has a hundred
 * thousand types.
 */
function placesOf(words: Uint32Array, onUnknown: (kind: number) => never): Uint32Array {
  const places = new Uint32Array(Math.floor(words.length / 3) + 1);
  let id = 1;
  for (let at = 0; at + 3 <= words.length; id++) {
    places[id] = at;
    const info = words[at + 1]!; // at + 3 words are there
    const kind = (info >> 24) & 0x1f;
    const fixed = fixedBytes[kind] ?? onUnknown(kind);
    at += 3 + (fixed + entryBytes[kind]! * (info & 0xffff)) / 4; // entryBytes is as long as fixedBytes
  }
  return places.subarray(0, id);
}

/** Ids of structures, unions and typedefs whose name is at one of these offsets. */
function structureNames(words: Uint32Array, places: Uint32Array, offsets?: ReadonlySet<number>): number[] {
  const ids: number[] = [];
  for (let id = 1; id < places.length; id++) {
    const at = places[id]!; // id < length
    const kind = (words[at + 1]! >> 24) & 0x1f; // a place is of three words
    if (kind !== KIND_STRUCT && kind !== KIND_UNION && kind !== KIND_TYPEDEF) continue;
    if (offsets === undefined || offsets.has(words[at]!)) ids.push(id);
  }
  return ids;
}

function isStructure(kind: number): boolean {
  return kind === KIND_STRUCT || kind === KIND_UNION;
}

/** In C's words. */
function spelled(kind: number, name: string): string {
  if (kind === KIND_UNION) return `union ${name}`;
  return kind === KIND_ENUM || kind === KIND_ENUM64 ? `enum ${name}` : `struct ${name}`;
}

/** A kernel's types take under 10 MB. */
const MAX_TYPES_BYTES = 64 << 20;

function typeData(file: ElfFile, section: SectionHeader): Uint8Array {
  if (section.sizeBytes > MAX_TYPES_BYTES)
    throw unreadable(file, `${section.sizeBytes} bytes of them`, `at most ${MAX_TYPES_BYTES}`);
  return sectionData(file, section);
}

function unreadable(file: ElfFile, found: string, wanted: string): BadInput {
  return new BadInput(`read types of ${file.source.name}`, found, wanted);
}
