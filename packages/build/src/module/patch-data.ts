/**
 * The data of a live patch: `struct klp_patch` with its objects and their functions, each array closed by an entry of
 * zeros. Members are placed where the kernel's own type information says they are.
 * Source: include/linux/livepatch.h of the kernel.
 */
import type { ReplacedFunction } from "@kgraft/delta";
import {
  type ElfObject,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectSymbol,
  SHF_ALLOC,
  SHF_WRITE,
  SHT_PROGBITS,
  STB_GLOBAL,
  STB_LOCAL,
  STT_NOTYPE,
  STT_OBJECT,
  STT_SECTION,
} from "@kgraft/elf";
import type { StructLayout } from "@kgraft/kernel";
import { ShippedKernelUnfit } from "../errors.ts";
import type { Callback, CallbackKind, State } from "./declarations.ts";

export interface PatchedObject {
  /** `vmlinux` or a module. */
  readonly name: string;
  readonly functions: readonly ReplacedFunction[];
  /** Functions of the live patch that run when the object is patched and reverted. */
  readonly callbacks: ReadonlyMap<CallbackKind, Callback>;
}

/**
 * The data's section until the module is finished. objtool would object to pointers at functions that nothing calls
 * indirectly (IBT), and ftrace does not; it passes over sections of such names.
 */
export const unfinishedDataSection = ".discard.kgraft";

/** How the data refers to addresses, by machine: the type of a relocation that fills a pointer. */
const pointerTypes: Readonly<Record<number, number>> = {
  62: 1 /* R_X86_64_64 */,
  21: 38 /* R_PPC64_ADDR64 */,
};

export interface PatchDataOptions {
  readonly machine: number;
  readonly flags: number;
  /** Whether the patch replaces all that are in force: how cumulative patches follow each other. */
  readonly replace: boolean;
  readonly states: readonly State[];
}

/** An object that defines `kgraft_patch`; its relocations name the symbols of the replacements. */
export function patchData(
  objects: readonly PatchedObject[],
  layouts: ReadonlyMap<string, StructLayout>,
  options: PatchDataOptions,
): ElfObject {
  const writer = new DataWriter(layouts, pointerTypes[options.machine] ?? 0);
  const arrays = objects.map(({ name, functions, callbacks }) => {
    const array = writer.array("klp_func", functions.length);
    functions.forEach((replaced, index) => {
      array.pointTo(index, "old_name", writer.text(replaced.name));
      array.point(index, "new_func", replaced.symbol, 0);
      array.number(index, "old_sympos", BigInt(replaced.sympos));
    });
    return { name, callbacks, array };
  });
  const table = writer.array("klp_object", objects.length);
  arrays.forEach(({ name, callbacks, array }, index) => {
    // A null name stands for vmlinux.
    if (name !== "vmlinux") table.pointTo(index, "name", writer.text(name));
    table.pointTo(index, "funcs", array.offset);
    for (const [kind, { symbol: callback, addend }] of callbacks)
      table.pointInner(index, ["callbacks", "klp_callbacks", kind], callback, addend);
  });
  const patch = writer.array("klp_patch", 1);
  patch.point(0, "mod", writer.outside("__this_module"), 0);
  patch.pointTo(0, "objs", table.offset);
  if (options.replace) patch.flag(0, "replace");
  if (options.states.length > 0) {
    const states = writer.array("klp_state", options.states.length);
    options.states.forEach(({ id, version }, index) => {
      states.number(index, "id", id);
      states.number(index, "version", BigInt(version));
    });
    patch.pointTo(0, "states", states.offset);
  }
  return writer.finish("kgraft_patch", patch.offset, options);
}

interface StructArray {
  readonly offset: number;
  point(index: number, member: string, symbol: ObjectSymbol, addend: number): void;
  /** A pointer to another place of this data. */
  pointTo(index: number, member: string, offset: number): void;
  /** A pointer in a structure that is a member of this one: the member, its type, and what lies in that. */
  pointInner(
    index: number,
    path: readonly [member: string, type: string, inner: string],
    symbol: ObjectSymbol,
    addend: number,
  ): void;
  /** A number of the member's own size. */
  number(index: number, member: string, value: bigint): void;
  flag(index: number, member: string): void;
}

class DataWriter {
  readonly #layouts: ReadonlyMap<string, StructLayout>;
  readonly #pointerType: number;
  readonly #relocations: ObjectRelocation[] = [];
  readonly #outside = new Map<string, ObjectSymbol>();
  readonly #section: ObjectSection = {
    name: unfinishedDataSection,
    type: SHT_PROGBITS,
    flags: SHF_ALLOC | SHF_WRITE,
    alignment: 8,
    entrySizeBytes: 0,
    data: new Uint8Array(0),
    sizeBytes: 0,
    relocations: this.#relocations,
    livepatchRelocations: [],
    linkedTo: undefined,
    grouped: false,
  };
  readonly #start: ObjectSymbol = symbol("", STT_SECTION, STB_LOCAL, {
    kind: "section",
    section: this.#section,
  });

  constructor(layouts: ReadonlyMap<string, StructLayout>, pointerType: number) {
    this.#layouts = layouts;
    this.#pointerType = pointerType;
  }

  /** Room for `count` structures and a closing one of zeros. */
  array(name: string, count: number): StructArray {
    const layout = this.#layout(name);
    const offset = this.#reserve((count + 1) * layout.sizeBytes);
    const at = (index: number, member: string): number => {
      const within = layout.members.get(member);
      if (within === undefined) throw unfit(`struct ${name} has no member ${member}`);
      return offset + index * layout.sizeBytes + within.offsetBits / 8;
    };
    const point = (index: number, member: string, to: ObjectSymbol, addend: number): void => {
      this.#relocations.push({ offset: at(index, member), type: this.#pointerType, symbol: to, addend });
    };
    return {
      offset,
      point,
      pointTo: (index, member, place) => point(index, member, this.#start, place),
      pointInner: (index, [member, type, inner], to, addend) => {
        const within = this.#layout(type).members.get(inner);
        if (within === undefined) throw unfit(`struct ${type} has no member ${inner}`);
        const place = at(index, member) + within.offsetBits / 8;
        this.#relocations.push({ offset: place, type: this.#pointerType, symbol: to, addend });
      },
      number: (index, member, value) => {
        const view = new DataView(this.#section.data.buffer);
        if (layout.members.get(member)?.sizeBits === 32)
          view.setUint32(at(index, member), Number(value), true);
        else view.setBigUint64(at(index, member), value, true);
      },
      flag: (index, member) => {
        this.#section.data[at(index, member)] = 1;
      },
    };
  }

  /** A zero-terminated text; returns its offset. */
  text(text: string): number {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const offset = this.#reserve(bytes.length);
    this.#section.data.set(bytes, offset);
    return offset;
  }

  outside(name: string): ObjectSymbol {
    const known = this.#outside.get(name) ?? symbol(name, STT_NOTYPE, STB_GLOBAL, { kind: "undefined" });
    this.#outside.set(name, known);
    return known;
  }

  finish(name: string, value: number, { machine, flags }: PatchDataOptions): ElfObject {
    const section = this.#section;
    section.relocations.sort((a, b) => a.offset - b.offset);
    const main = { ...symbol(name, STT_OBJECT, STB_GLOBAL, { kind: "section", section }), value };
    return {
      name,
      machine,
      flags,
      sections: [section],
      symbols: [this.#start, main, ...this.#outside.values()],
    };
  }

  #reserve(sizeBytes: number): number {
    const offset = Math.ceil(this.#section.sizeBytes / 8) * 8;
    const data = new Uint8Array(offset + sizeBytes);
    data.set(this.#section.data);
    this.#section.data = data;
    this.#section.sizeBytes = data.length;
    return offset;
  }

  #layout(name: string): StructLayout {
    const layout = this.#layouts.get(name);
    if (layout === undefined) throw unfit(`no struct ${name} in its type information`);
    return layout;
  }
}

function symbol(name: string, type: number, binding: number, place: ObjectSymbol["place"]): ObjectSymbol {
  return { name, binding, type, other: 0, place, value: 0, sizeBytes: 0 };
}

function unfit(problem: string): ShippedKernelUnfit {
  return new ShippedKernelUnfit(
    `cannot write the live patch's data: ${problem}`,
    "the kernel must have CONFIG_LIVEPATCH and CONFIG_DEBUG_INFO_BTF",
  );
}
