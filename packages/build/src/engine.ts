/**
 * The room's second door: the difference engine alone, on objects and tables from anywhere. It stands apart so that who
 * runs it once for each of many pairs does not load all that a build needs.
 *
 * @module
 */
export { ChangeRefused, NoFunctionalChange } from "./errors.ts";
export { type NamedBytes, type ObjectDelta, objectDelta, type ObjectDeltaRequest } from "./object-delta.ts";
export { type Exports, type ExportedSymbol, type ParsedExports, parseSymvers } from "./shipped/exports.ts";
export { keptExports, keptTable } from "./shipped/kept.ts";
export { type KernelTable, tableOfImage, tableOfText } from "./shipped/kernel-table.ts";
