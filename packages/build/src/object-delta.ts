/**
 * The difference engine alone: two objects from anywhere, and of the kernel no more than a symbol table and perhaps its
 * exports. What it makes is an object from which a live-patch module can be linked.
 */
import {
  applyLivepatchReferences,
  computeDelta,
  isTypedByMacro,
  livepatchName,
  type ReplacedFunction,
  sizedTypes,
  type Verdict,
} from "@kgraft/delta";
import {
  bytesSource,
  type ElfObject,
  findSection,
  type ObjectSection,
  type ObjectSymbol,
  openElf,
  SHN_UNDEF,
  STB_LOCAL,
  type SymbolTable,
  writeObject,
} from "@kgraft/elf";
import { readStructLayouts } from "@kgraft/kernel/files";
import { ChangeRefused, NoFunctionalChange, ShippedKernelUnfit, type UnitReason } from "./errors.ts";
import { type ExportedSymbol, type Exports, moduleNameOf } from "./shipped/exports.ts";
import type { KernelTable } from "./shipped/kernel-table.ts";
import { type NamedKernel, type NamedObject, UnitTarget } from "./shipped/link-target.ts";
import { SymbolIndex } from "./shipped/symbol-index.ts";
import { readLoaded } from "./read-loaded.ts";

/** A file that was read, and what to call it in messages. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ObjectDeltaRequest {
  /** The unit before the change and after it, with one section for each symbol. */
  readonly original: NamedBytes;
  readonly patched: NamedBytes;
  /** What the unit is linked into: `vmlinux`, or a module by its name or file name. */
  readonly object: string;
  /** The symbols of that object. */
  readonly table: KernelTable;
  /** What kernel and modules export; without it vmlinux's symbols are all left to the livepatch core. */
  readonly exports?: Exports;
  /** Leave names that neither kernel nor exports have for another unit of the patch to define, with a warning. */
  readonly leaveUndefined?: boolean;
}

export interface ObjectDelta {
  readonly object: string;
  /** The object file: changed and new functions, and what they need. */
  readonly bytes: Uint8Array;
  readonly functions: readonly Omit<ReplacedFunction, "symbol">[];
  readonly added: readonly string[];
  /** Symbols that the livepatch core resolves, by the names it knows them by. */
  readonly livepatchSymbols: readonly string[];
  /** Symbols that the kernel or a module exports. */
  readonly imports: readonly string[];
  readonly warnings: readonly UnitReason[];
}

/**
 * What a live patch must carry of one unit.
 *
 * @throws {ElfFormatError} when an object is malformed
 * @throws {ShippedKernelUnfit} when the table is another object's
 * @throws {ChangeRefused} with every reason why the change cannot be carried
 * @throws {NoFunctionalChange} when no function does anything else than before
 */
export function objectDelta(request: ObjectDeltaRequest): ObjectDelta {
  const { patched: after } = request;
  const original = readLoaded(request.original.name, request.original.bytes);
  const patched = readLoaded(after.name, after.bytes);
  const object = moduleNameOf(request.object);
  checkTable(object, request.table);
  const kernel = { ...kernelOf(request, object), layouts: layoutsOf(request, original) };
  const target = new UnitTarget(kernel, namedObject(request, object), original);
  const verdict = computeDelta(original, patched, target);
  if (verdict.kind === "unchanged") throw new NoFunctionalChange(object, [after.name]);
  const open = verdict.kind === "refused" ? [] : unresolved(verdict, target);
  const reasons = verdict.kind === "refused" ? verdict.reasons : request.leaveUndefined === true ? [] : open;
  if (verdict.kind === "refused" || reasons.length > 0)
    throw new ChangeRefused(reasons.map((reason) => ({ ...reason, unit: after.name })));
  if (!hasEffect(verdict)) throw new NoFunctionalChange(object, [after.name]);
  const livepatchSymbols = [...verdict.livepatchReferences.values()].map(livepatchName);
  const imports = undefinedNames(verdict);
  return {
    object,
    bytes: writtenOf(verdict),
    functions: verdict.functions.map(({ name, sympos, originalSizeBytes, replacementSizeBytes }) => ({
      name,
      sympos,
      originalSizeBytes,
      replacementSizeBytes,
    })),
    added: verdict.added,
    livepatchSymbols: livepatchSymbols.toSorted(),
    imports: imports.toSorted(),
    warnings: [...verdict.warnings, ...open].map((reason) => ({ ...reason, unit: after.name })),
  };
}

/** Another object's names would be taken for its own: each module has a `__this_module`, and the kernel none. */
function checkTable(object: string, { symbols }: KernelTable): void {
  const isModules = symbols.named("__this_module").some(({ sectionIndex }) => sectionIndex !== SHN_UNDEF);
  if (isModules === (object !== "vmlinux")) return;
  throw new ShippedKernelUnfit(
    isModules
      ? "cannot look for symbols of vmlinux: the table is a module's (it defines __this_module)"
      : `cannot look for symbols of module ${object}: the table is no module's (it does not define __this_module)`,
    "name with --symbols the very object that --object names",
  );
}

type Patched = Extract<Verdict, { kind: "patched" }>;

/**
 * Whether anything can come of it: a function is replaced, another unit may call what is new, or the author declares
 * something for the livepatch core.
 */
function hasEffect({ functions, object }: Patched): boolean {
  return functions.length > 0 || object.symbols.some(isOffered) || object.sections.some(isDeclaration);
}

/** Whether other units may refer to it. */
function isOffered({ binding, place }: ObjectSymbol): boolean {
  return binding !== STB_LOCAL && place.kind === "section";
}

/** Whether it declares something to the livepatch core, by linux/kgraft.h. */
function isDeclaration({ name }: ObjectSection): boolean {
  return name.startsWith(".kgraft.");
}

/** Names that whoever links the module must find among the exports. */
function undefinedNames({ object, livepatchReferences }: Patched): string[] {
  return object.symbols
    .filter((symbol) => symbol.place.kind === "undefined" && !livepatchReferences.has(symbol))
    .map(({ name }) => name);
}

/** No other unit is there that could bring what the kernel has not. */
function unresolved(verdict: Patched, target: UnitTarget): Omit<UnitReason, "unit">[] {
  return undefinedNames(verdict).flatMap((name) => {
    const resolution = target.resolve({ name, local: false });
    if (resolution.kind === "exported") return [];
    const why = "why" in resolution ? resolution.why : "it cannot be linked";
    return [
      {
        code: "unknown-symbol",
        subject: name,
        message: `${name} cannot be reached from a live patch of ${target.object}: ${why}`,
        hint: "name the kernel's Module.symvers with --symvers if the kernel or a module exports it; --undefined leaves it to another unit of the patch",
      },
    ];
  });
}

/** The object as a file, as the livepatch core wants it; what only objtool reads is left out. */
function writtenOf({ object, livepatchReferences }: Patched): Uint8Array {
  const sections = object.sections.filter(({ name }) => !name.startsWith(".discard"));
  const symbols = object.symbols.filter(
    ({ place }) => place.kind !== "section" || sections.includes(place.section),
  );
  const written: ElfObject = { ...object, sections, symbols };
  applyLivepatchReferences(written, livepatchReferences);
  return writeObject(written);
}

function namedObject({ table }: ObjectDeltaRequest, name: string): NamedObject {
  const order = name === "vmlinux" ? "address" : "table";
  return { name, symbols: new SymbolIndex(table.symbols, order), depends: [], isSealed: table.isSealed };
}

/**
 * The kernel's structures. A module's image and a list of symbols do not have them; of the unit's own types those are
 * asked that tell a macro's variable from an author's, where it has one that may be either.
 */
function layoutsOf({ original, table }: ObjectDeltaRequest, { symbols }: ElfObject): KernelTable["layouts"] {
  if (table.layouts.size > 0 || !symbols.some(({ name }) => isTypedByMacro(name))) return table.layouts;
  const file = openElf(bytesSource(original.name, original.bytes));
  return findSection(file, ".BTF") === undefined ? table.layouts : readStructLayouts(file, sizedTypes);
}

function kernelOf(request: ObjectDeltaRequest, name: string): Omit<NamedKernel, "layouts"> {
  const named = namedObject(request, name);
  const { exports, table } = request;
  return {
    exports: exports ?? importsOf(name, table.symbols),
    object: (other) => (other === name ? named : undefined),
  };
}

/** What a module leaves undefined somebody exports: the module was loaded that way. */
function importsOf(object: string, symbols: SymbolTable): Map<string, ExportedSymbol> {
  if (object === "vmlinux") return new Map();
  return new Map(
    Array.from({ length: symbols.length }, (_, index) => symbols.at(index))
      .filter(({ sectionIndex, name }) => sectionIndex === SHN_UNDEF && name !== "")
      .map(({ name }) => [name, { name, object: "vmlinux", crc: 0, namespace: "" }]),
  );
}
