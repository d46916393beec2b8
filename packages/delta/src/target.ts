/** What the engine asks of the running kernel's side: where a name leads from a live-patch module. */
import { siteTypes } from "./names.ts";
import { entryTypes } from "./special-tables.ts";

/** The kernel structures whose sizes the engine wants to know. */
export const sizedTypes: readonly string[] = [...entryTypes, ...siteTypes];

export interface LinkTarget {
  /** The object that the unit is linked into: `vmlinux` or a module's name. */
  readonly object: string;
  /** Sizes of the kernel's structures, by name: those in `sizedTypes`, as far as they are known. */
  readonly typeSizes: ReadonlyMap<string, number>;
  /** Where a symbol of this unit lies in the shipped object: the livepatch core finds functions to replace by it. */
  locate(request: SymbolRequest): Position;
  /** How code of a live patch reaches a symbol. */
  resolve(request: SymbolRequest): Resolution;
  /** Whether it is a function that the running kernel does not let be called by its address; undefined where nothing tells. */
  isSealed(request: SymbolRequest): boolean | undefined;
}

export type Position =
  | { readonly kind: "found"; readonly sympos: number }
  | { readonly kind: "missing" | "ambiguous"; readonly why: string }
  /** The unit's own is weak, and another unit's took its place. */
  | { readonly kind: "overridden"; readonly why: string };

export interface SymbolRequest {
  readonly name: string;
  /** Whether the unit defines it itself, for itself alone (static). */
  readonly local: boolean;
}

export type Resolution =
  /** Linked by the module loader: exported by the kernel, or by a module that this makes the patch depend on. */
  | { readonly kind: "exported" }
  /** Resolved by the livepatch core. */
  | { readonly kind: "livepatch"; readonly object: string; readonly sympos: number }
  /** The shipped kernel has it not, or has it more than once and cannot say which. */
  | { readonly kind: "missing"; readonly why: string }
  | { readonly kind: "ambiguous"; readonly why: string };
