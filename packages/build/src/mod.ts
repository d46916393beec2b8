/**
 * From a source change to a live-patch module and its manifest.
 *
 * @module
 */
export { build, type BuildRequest, type LivePatch } from "./build.ts";
export { checkUnit, type UnitCheck } from "./check-unit.ts";
export {
  BadChange,
  ChangeRefused,
  NoFunctionalChange,
  ShippedKernelUnfit,
  SigningFailed,
  type UnitReason,
} from "./errors.ts";
export { buildInitial, type InitialRequest } from "./initial.ts";
export { linkModule, type LinkRequest } from "./module/link.ts";
export { type SigningHash, signingHashes, type SigningKey } from "./module/sign.ts";
export { glueObject } from "./module/glue.ts";
export { manifestOf, type ManifestRequest } from "./manifest.ts";
export { openChange, type OpenedChange } from "./opened-change.ts";
export type { ShippedKernel } from "./shipped/shipped-kernel.ts";
export { type PatchFile, readChange, type SourceChange } from "./source/change.ts";
export type { AffectedUnit } from "./source/units.ts";
export type { ObjectPair, PatchedDelta, UnitDelta } from "./unit.ts";
