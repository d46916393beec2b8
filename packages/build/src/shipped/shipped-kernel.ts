/**
 * The kernel as the distribution shipped it, as far as a build asks: symbols and bytes of vmlinux and of modules, what
 * they export, and how large the kernel's structures are. Each file is read once per build, and only when asked for.
 */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type ElfFile, type ElfSymbol, findSection, openSymbols, sectionData } from "@kgraft/elf";
import { sizedTypes } from "@kgraft/delta";
import { type KernelTree, readStructLayouts, type StructLayout, withElfFile } from "@kgraft/kernel";
import { type Exports, moduleNameOf, parseSymvers } from "./exports.ts";
import { type IsSealed, sealedIn } from "./sealed.ts";
import { SymbolIndex } from "./symbol-index.ts";

/** One shipped object: vmlinux, or a module. */
export interface ShippedObject {
  /** `vmlinux` or the module's name. */
  readonly name: string;
  readonly symbols: SymbolIndex;
  /** Modules that this one needs. */
  readonly depends: readonly string[];
  /** Which of its functions may not be called indirectly. */
  readonly isSealed: IsSealed;
  /** Runs `work` on the open file. */
  withFile<T>(work: (file: ElfFile) => T): T;
}

/** Structures of the livepatch core that the module's data is written in. */
const livepatchTypes: readonly string[] = [
  "klp_callbacks",
  "klp_func",
  "klp_object",
  "klp_patch",
  "klp_state",
  "module",
];

export class ShippedKernel {
  readonly tree: KernelTree;
  readonly exports: Exports;
  readonly layouts: ReadonlyMap<string, StructLayout>;
  readonly #modulePaths: ReadonlyMap<string, string>;
  readonly #objects = new Map<string, ShippedObject>();

  /** @param modulePaths file of each shipped module below the modules' folder, by the module's name */
  constructor(tree: KernelTree, modulePaths: ReadonlyMap<string, string>) {
    this.tree = tree;
    this.#modulePaths = modulePaths;
    this.exports = parseSymvers(readFileSync(tree.moduleSymvers, "utf8"));
    this.layouts = withElfFile(tree.vmlinux, "vmlinux", (file) =>
      readStructLayouts(file, [...sizedTypes, ...livepatchTypes]),
    );
  }

  /** vmlinux, or the shipped module of that name; undefined where there is none. */
  object(name: string): ShippedObject | undefined {
    const known = this.#objects.get(name);
    if (known !== undefined) return known;
    const object = name === "vmlinux" ? this.#vmlinux() : this.#module(name);
    if (object === undefined) return undefined;
    this.#objects.set(name, object);
    return object;
  }

  #vmlinux(): ShippedObject {
    const withFile = open(this.tree.vmlinux, "vmlinux");
    const symbols = new SymbolIndex(withFile(openSymbols), "address");
    return { name: "vmlinux", symbols, depends: [], isSealed: lazily(withFile), withFile };
  }

  #module(name: string): ShippedObject | undefined {
    const path = this.#modulePaths.get(name);
    if (path === undefined) return undefined;
    const withFile = open(join(this.tree.modulesDirectory, path), name);
    const unstripped = withElfFile(
      join(this.tree.debugModulesDirectory, path),
      `${name} (debug)`,
      openSymbols,
    );
    const symbols = new SymbolIndex(withFile(openSymbols), "table", unstripped);
    return { name, symbols, depends: withFile(dependsOf), isSealed: lazily(withFile), withFile };
  }
}

/** The shipped kernel that a prepared tree belongs to. */
export async function openShippedKernel(tree: KernelTree): Promise<ShippedKernel> {
  const entries = await readdir(tree.modulesDirectory, { recursive: true });
  const files = entries.filter((path) => path.endsWith(".ko"));
  return new ShippedKernel(tree, new Map(files.map((path) => [moduleNameOf(path), path])));
}

function open(path: string, name: string): ShippedObject["withFile"] {
  return (work) => withElfFile(path, name, work);
}

function lazily(withFile: ShippedObject["withFile"]): IsSealed {
  let known: IsSealed | undefined;
  return (symbol) => (known ??= withFile(sealedIn))(symbol);
}

function dependsOf(file: ElfFile): string[] {
  const section = findSection(file, ".modinfo");
  const entries =
    section === undefined ? [] : new TextDecoder().decode(sectionData(file, section)).split("\0");
  const depends = entries.find((entry) => entry.startsWith("depends="))?.slice("depends=".length) ?? "";
  return depends
    .split(",")
    .filter((name) => name !== "")
    .map(moduleNameOf);
}

/** The bytes of a function in the shipped file. */
export function shippedCode(file: ElfFile, symbol: ElfSymbol, sizeBytes: number): Uint8Array {
  const section = file.sections[symbol.sectionIndex];
  if (section === undefined) return new Uint8Array(0);
  const start = Number(symbol.value - section.address);
  return sectionData(file, section).subarray(start, start + sizeBytes);
}
