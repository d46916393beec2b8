/**
 * From a source change to a live-patch module and its manifest.
 *
 * @module
 */
export { build, type BuildRequest, type LivePatch } from "./build.ts";
export {
  BadChange,
  ChangeRefused,
  NoFunctionalChange,
  ShippedKernelUnfit,
  type UnitReason,
} from "./errors.ts";
export { type NamedBytes, type ObjectDelta, objectDelta, type ObjectDeltaRequest } from "./object-delta.ts";
export { type ExportedSymbol, parseSymvers } from "./shipped/exports.ts";
export { type KernelTable, tableOfImage, tableOfText } from "./shipped/kernel-table.ts";
export type { PatchFile } from "./source/change.ts";
