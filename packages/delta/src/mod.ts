/**
 * What a source change did to one object, and what a live patch must therefore carry. Pure: objects in, a verdict out.
 *
 * @module
 */
export { computeDelta, type ReplacedFunction, type Verdict } from "./delta.ts";
export { applyLivepatchReferences, livepatchName, type LivepatchReference } from "./klp.ts";
export type { Reason, ReasonCode } from "./reasons.ts";
export { sizedTypes } from "./target.ts";
export { isTypedByMacro } from "./names.ts";
export type { LinkTarget, Position, Resolution, SymbolRequest } from "./target.ts";
