/**
 * The data that crosses between programs: what the workbench writes and the patched machine reads, and the
 * other way round. Types and schemas, no behaviour.
 *
 * @module
 */
export {
  type KernelLifecycle,
  type Lifecycle,
  type LifecycleLine,
  type LifecyclePolicy,
  lifecyclePolicySchema,
  lifecycleSchema,
} from "./lifecycle.ts";
export { type Advisory, type AdvisoryPackage, advisorySchema, type Severity } from "./advisory.ts";
export { type Manifest, type ManifestFix, type ManifestFunction, manifestSchema } from "./manifest.ts";
export type {
  BlockingReport,
  BlockingTask,
  BootReport,
  CompletionReport,
  ConfigReport,
  Finding,
  FixesReport,
  FixReport,
  InsertionReport,
  InstallReport,
  LifecyclePackage,
  LifecycleProduct,
  LifecycleReport,
  MetricFamily,
  MetricsReport,
  PatchesReport,
  PatchReport,
  PokeReport,
  Proof,
  StatusReport,
  SupportEnd,
  TransitionReport,
  UnameReport,
  VerifiedFunction,
  VerifiedPatch,
  VerifyReport,
} from "./host-report.ts";
