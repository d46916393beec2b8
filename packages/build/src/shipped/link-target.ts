/**
 * Where names lead from a live patch of one unit. The unit's own local symbols are found through the shipped object's
 * symbol table, in the block that the linker kept for the unit; of the forty files called inode.c the unit's is the
 * one that has all of its functions.
 */
import { type ElfObject, type ElfSymbol, STB_LOCAL, STB_WEAK, STT_FILE, STT_FUNC } from "@kgraft/elf";
import type { LinkTarget, Position, Resolution, SymbolRequest } from "@kgraft/delta";
import type { IsSealed } from "./sealed.ts";
import type { ShippedKernel, ShippedObject } from "./shipped-kernel.ts";

/** An object of the kernel, as far as names lead into it. */
export interface NamedObject extends Pick<ShippedObject, "name" | "symbols" | "depends"> {
  /** Which of its functions may not be called indirectly, where that is known. */
  readonly isSealed: IsSealed | undefined;
}

/** A kernel, as far as names lead somewhere in it: the shipped one, or what tables tell of one. */
export interface NamedKernel extends Pick<ShippedKernel, "exports"> {
  /** Sizes of the structures that are known, by name. */
  readonly layouts: ReadonlyMap<string, { readonly sizeBytes: number }>;
  object(name: string): NamedObject | undefined;
}

export class UnitTarget implements LinkTarget {
  readonly object: string;
  readonly typeSizes: ReadonlyMap<string, number>;
  readonly #kernel: NamedKernel;
  readonly #shipped: NamedObject;
  /** Names that the unit itself defines, for want of a better definition. */
  readonly #weak: ReadonlySet<string>;
  readonly #locals: readonly ElfSymbol[] | undefined;

  /** @param asShipped the unit's original, compiled as the distribution did */
  constructor(kernel: NamedKernel, shipped: NamedObject, asShipped: ElfObject) {
    this.object = shipped.name;
    this.#kernel = kernel;
    this.#shipped = shipped;
    this.typeSizes = new Map([...kernel.layouts].map(([name, { sizeBytes }]) => [name, sizeBytes]));
    this.#weak = new Set(
      asShipped.symbols.flatMap(({ name, binding, place }) =>
        binding === STB_WEAK && place.kind === "section" ? [name] : [],
      ),
    );
    this.#locals = localsOfUnit(shipped, asShipped);
  }

  /** The shipped symbol of one of the unit's own, or why there is none. */
  find({ name, local }: SymbolRequest): ElfSymbol | Exclude<Position, { readonly kind: "found" }> {
    if (!local) {
      const found = this.#shipped.symbols.global(name);
      // A weak function of this unit may have given way to another unit's, of the same name.
      if (found !== undefined && found.binding !== STB_WEAK && this.#weak.has(name))
        return { kind: "overridden", why: "another unit's definition took the place of this weak one" };
      return found ?? { kind: "missing", why: "it defines no such symbol" };
    }
    if (this.#locals === undefined)
      return { kind: "missing", why: "no part of its symbol table matches this unit" };
    const [found, ...more] = this.#locals.filter((symbol) => symbol.name === name);
    if (found === undefined)
      return { kind: "missing", why: "the unit's part of its symbol table has it not" };
    if (more.length > 0) return { kind: "ambiguous", why: `the unit has ${more.length + 1} of that name` };
    return found;
  }

  locate(request: SymbolRequest): Position {
    const found = this.find(request);
    return "kind" in found ? found : { kind: "found", sympos: this.#shipped.symbols.symposOf(found) };
  }

  resolve(request: SymbolRequest): Resolution {
    const own = request.local || this.object !== "vmlinux" ? this.locate(request) : undefined;
    if (own?.kind === "found") return { kind: "livepatch", object: this.object, sympos: own.sympos };
    // What is local is nobody else's.
    if (request.local && own !== undefined && own.kind !== "overridden") return own;
    return this.#resolveGlobal(request.name);
  }

  isSealed(request: SymbolRequest): boolean | undefined {
    const own = request.local || this.object !== "vmlinux" ? this.find(request) : undefined;
    if (own !== undefined && !("kind" in own)) return sealedBy(this.#shipped, own);
    // What is exported has its address in a table; what nothing has is another unit's of the same patch.
    if (this.#kernel.exports.has(request.name)) return false;
    const vmlinux = this.#kernel.object("vmlinux");
    const symbol = vmlinux?.symbols.global(request.name);
    return vmlinux === undefined || symbol === undefined ? false : sealedBy(vmlinux, symbol);
  }

  #resolveGlobal(name: string): Resolution {
    // Some exports are for certain modules only, by name: to a live patch they are none.
    const entry = this.#kernel.exports.get(name);
    const exported = entry?.namespace.startsWith("module:") === true ? undefined : entry;
    if (exported?.object === "vmlinux") return { kind: "exported" };
    const vmlinux = this.#kernel.object("vmlinux");
    const inVmlinux = vmlinux?.symbols.global(name);
    if (vmlinux !== undefined && inVmlinux !== undefined) {
      return { kind: "livepatch", object: "vmlinux", sympos: vmlinux.symbols.symposOf(inVmlinux) };
    }
    if (exported === undefined || this.object === "vmlinux")
      return { kind: "missing", why: "no object defines it" };
    // What the patched module needs anyway is there whenever it is; anything else the patch must pull in itself.
    const exporter = this.#shipped.depends.includes(exported.object)
      ? this.#kernel.object(exported.object)
      : undefined;
    const symbol = exporter?.symbols.global(name);
    if (exporter === undefined || symbol === undefined) return { kind: "exported" };
    return { kind: "livepatch", object: exporter.name, sympos: exporter.symbols.symposOf(symbol) };
  }
}

function sealedBy({ isSealed }: NamedObject, symbol: ElfSymbol): boolean | undefined {
  if (symbol.type !== STT_FUNC) return false;
  return isSealed?.(symbol);
}

function localsOfUnit(shipped: NamedObject, asShipped: ElfObject): readonly ElfSymbol[] | undefined {
  const file = asShipped.symbols.find(({ type }) => type === STT_FILE);
  if (file === undefined) return undefined;
  const functions = asShipped.symbols.filter(
    ({ type, binding, place }) =>
      type === STT_FUNC &&
      binding === STB_LOCAL &&
      place.kind === "section" &&
      // A built-in unit's exit code is thrown away when vmlinux is linked.
      !place.section.name.startsWith(".exit"),
  );
  const names = new Set(functions.map(({ name }) => name));
  const candidates = shipped.symbols.localsOfFiles(file.name.split("/").at(-1) ?? "").filter((locals) => {
    const has = new Set(locals.map(({ name }) => name));
    return names.isSubsetOf(has);
  });
  if (candidates.length <= 1) return candidates[0];
  // Units without local functions of their own match everywhere: then only sizes can tell, and all must agree.
  const sizes = new Map(functions.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const exact = candidates.filter((locals) =>
    locals.every(({ name, type, sizeBytes }) => type !== STT_FUNC || sizes.get(name) === sizeBytes),
  );
  return exact.length === 1 ? exact[0] : undefined;
}
