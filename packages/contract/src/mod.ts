/**
 * The data that crosses between programs: what the workbench writes and the patched machine reads, and the
 * other way round. Types and schemas, no behaviour.
 *
 * @module
 */
export { type Manifest, type ManifestFunction, manifestSchema } from "./manifest.ts";
export type {
  BlockingReport,
  BlockingTask,
  PatchesReport,
  PatchReport,
  StatusReport,
  TransitionReport,
} from "./host-report.ts";
