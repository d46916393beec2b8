/**
 * The live patch as a kernel module: the units' deltas, the glue and the patch's data joined into one object, with
 * what the module loader wants to read. There is no separate link: all parts are in memory, and the module is complete
 * when its bytes are.
 */
import { createHash } from "node:crypto";
import { applyLivepatchReferences, type LivepatchReference } from "@kgraft/delta";
import {
  type ElfObject,
  mergeObjects,
  type ObjectSection,
  type ObjectSymbol,
  sectionNamed,
  SHF_ALLOC,
  SHT_NOTE,
  SHT_PROGBITS,
  writeObject,
} from "@kgraft/elf";
import { ChangeRefused, type UnitReason } from "../errors.ts";
import type { ExportedSymbol } from "../shipped/exports.ts";
import type { ShippedKernel } from "../shipped/shipped-kernel.ts";
import type { State } from "./declarations.ts";
import { patchData, type PatchedObject, unfinishedDataSection } from "./patch-data.ts";

export interface ModuleParts {
  /** KBUILD_MODNAME. */
  readonly name: string;
  readonly glue: ElfObject;
  readonly deltas: readonly {
    readonly object: ElfObject;
    readonly livepatchReferences: ReadonlyMap<ObjectSymbol, LivepatchReference>;
  }[];
  readonly patched: readonly PatchedObject[];
  readonly states: readonly State[];
}

/** A module that lacks its last step, so that tools which know nothing of livepatch symbols can read it. */
export interface JoinedModule {
  readonly object: ElfObject;
  /** What is undefined in the object because only the livepatch core can resolve it, by the symbol's name. */
  readonly references: ReadonlyMap<string, LivepatchReference>;
}

/**
 * Joins everything.
 *
 * @throws {ChangeRefused} when a name leads nowhere
 */
export function joinModule(parts: ModuleParts, kernel: ShippedKernel): JoinedModule {
  // 1. Join glue, deltas and data, following the symbols that only the livepatch core can resolve.
  const { machine, flags } = parts.glue;
  const patched = parts.patched.filter(({ functions, callbacks }) => functions.length + callbacks.size > 0);
  const { states } = parts;
  const data = patchData(patched, kernel.layouts, { machine, flags, replace: true, states });
  const given = new Map(parts.deltas.flatMap(({ livepatchReferences }) => [...livepatchReferences]));
  const objects = [parts.glue, ...parts.deltas.map((delta) => delta.object), data];
  const object = mergeObjects(`${parts.name}.ko`, objects);
  const references = new Map([...given].map(([symbol, reference]) => [symbol.name, reference]));

  // 2. What is still undefined must be exported.
  const undefinedNames = object.symbols
    .filter(({ place, name }) => place.kind === "undefined" && !references.has(name))
    .map(({ name }) => name);
  const imports = undefinedNames.flatMap((name) => kernel.exports.get(name) ?? []);
  if (imports.length < undefinedNames.length) {
    throw new ChangeRefused(undefinedNames.filter((name) => !kernel.exports.has(name)).map(undefinedReason));
  }

  // 3. Tell the module loader name, dependencies and versions.
  nameModule(object, parts.name, kernel);
  // A kernel without symbol versions exports no layout of its modules.
  const layout = kernel.exports.get("module_layout");
  if (layout !== undefined)
    object.sections.push(loaded("__versions", 32, versionBytes([layout, ...imports])));
  addInfo(object, infoBytes(parts.name, imports));
  return { object, references };
}

/** Hands over to the livepatch core what is its, and puts a name of its own on the result: the module's bytes. */
export function finishModule({ object, references }: JoinedModule): Uint8Array {
  const data = sectionNamed(object, unfinishedDataSection);
  if (data !== undefined) data.name = ".data.kgraft";
  const sections = object.sections.filter(({ name }) => !name.startsWith(".discard"));
  const symbols = object.symbols.filter(
    ({ place }) => place.kind !== "section" || sections.includes(place.section),
  );
  const module: ElfObject = { ...object, sections, symbols };
  const bySymbol = symbols.flatMap((symbol): [ObjectSymbol, LivepatchReference][] => {
    const reference = symbol.place.kind === "undefined" ? references.get(symbol.name) : undefined;
    return reference === undefined ? [] : [[symbol, reference]];
  });
  applyLivepatchReferences(module, new Map(bySymbol));
  module.sections.push(buildIdNote(writeObject(module)));
  return writeObject(module);
}

function undefinedReason(name: string): UnitReason {
  return {
    code: "undefined-symbol",
    unit: "",
    subject: name,
    message: `${name} is defined neither by the kernel nor by a unit of this change`,
    hint: "add the source file that defines it to the change, if the change is to bring it",
  };
}

function nameModule(module: ElfObject, name: string, kernel: ShippedKernel): void {
  const section = sectionNamed(module, ".gnu.linkonce.this_module");
  const member = kernel.layouts.get("module")?.members.get("name");
  if (section === undefined || member === undefined) return;
  section.data.set(new TextEncoder().encode(name), member.offsetBits / 8);
}

/** `struct modversion_info`: a CRC as a long, and the name in 56 bytes. */
function versionBytes(imports: readonly ExportedSymbol[]): Uint8Array {
  const bytes = new Uint8Array(imports.length * 64);
  const view = new DataView(bytes.buffer);
  imports.forEach(({ crc, name }, index) => {
    view.setBigUint64(index * 64, BigInt(crc), true);
    bytes.set(new TextEncoder().encode(name).subarray(0, 55), index * 64 + 8);
  });
  return bytes;
}

function infoBytes(name: string, imports: readonly ExportedSymbol[]): Uint8Array {
  const depends = unique(imports.map(({ object }) => (object === "vmlinux" ? "" : object)));
  const namespaces = unique(imports.map(({ namespace }) => namespace));
  const entries = [
    `name=${name}`,
    `depends=${depends.join(",")}`,
    ...namespaces.map((one) => `import_ns=${one}`),
  ];
  return new TextEncoder().encode(`${entries.join("\0")}\0`);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].filter((value) => value !== "").toSorted();
}

/** The kernel reads one `.modinfo` section: what the glue says stands in it already. */
function addInfo(module: ElfObject, bytes: Uint8Array): void {
  const info = sectionNamed(module, ".modinfo");
  if (info === undefined) return;
  info.data = Uint8Array.from([...info.data, ...bytes]);
  info.sizeBytes = info.data.length;
}

/** Names this link, as `ld --build-id` would: a hash over everything else. */
function buildIdNote(bytes: Uint8Array): ObjectSection {
  const note = new Uint8Array(36);
  const view = new DataView(note.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, 20, true);
  view.setUint32(8, 3, true); // NT_GNU_BUILD_ID
  note.set(new TextEncoder().encode("GNU\0"), 12);
  note.set(createHash("sha1").update(bytes).digest(), 16);
  return { ...loaded(".note.gnu.build-id", 4, note), type: SHT_NOTE };
}

function loaded(name: string, alignment: number, data: Uint8Array): ObjectSection {
  return {
    name,
    type: SHT_PROGBITS,
    flags: SHF_ALLOC,
    alignment,
    entrySizeBytes: 0,
    data,
    sizeBytes: data.length,
    relocations: [],
    livepatchRelocations: [],
    linkedTo: undefined,
    grouped: false,
  };
}
