/**
 * From a built live patch to what the machines of a fleet install: packages (.deb, .rpm), signed repositories,
 * advisories, lifecycle data.
 *
 * @module
 */
export { type ChangelogEntry, parseChangelog } from "./package/changelog.ts";
export { type PackageFile, type PackageFormat, packageFormats } from "./package/description.ts";
export { BadPackageInput, PackageToolFailed, PackageToolMissing } from "./package/errors.ts";
export { type HostToolRequest, makeHostTool } from "./package/host-tool.ts";
export {
  type BuiltPackage,
  type LivePatchPackageRequest,
  makePackage,
  type PackageRequest,
} from "./package/live-patch.ts";
export { type LifecycleDataRequest, makeLifecycleData } from "./package/lifecycle-data.ts";
export { type KeyringRequest, makeKeyring } from "./package/keyring.ts";
export { makeMetapackage, type MetapackageRequest } from "./package/metapackage.ts";
export {
  debVersion,
  flavourOf,
  type PatchVersion,
  patchPackageNames,
  type PatchPackageNames,
} from "./package/naming.ts";
export { type BuiltPtf, makePtf, type OtherMember, type PtfRequest } from "./package/ptf.ts";
export { readPackageChangelog } from "./package/previous.ts";
export { parseLifecycleJson, parseLifecyclePolicy } from "./lifecycle/document.ts";
export { BadLifecycleData } from "./lifecycle/errors.ts";
export { parseLifecycleText } from "./lifecycle/lines.ts";
export { defaultLifecyclePolicy, promise, type PublishedPatch } from "./lifecycle/promise.ts";
export { lifecycleDirectory, type LifecycleFiles, lifecycleFiles } from "./lifecycle/files.ts";
export { cvssScore, highestScore, severityOf } from "./advisory/cvss.ts";
export { defaultScopePolicy, type FixScope, scopeOf, type ScopePolicy } from "./advisory/scope.ts";
export { exportPublicKeys, type KeyName, openSigner, type Signer, type SignerRequest } from "./keys/gnupg.ts";
export type { PublicKey } from "./keys/listing.ts";
export { makeKey, type NewKeyRequest } from "./keys/new-key.ts";
export { aptSetup, rpmSetup, type SetupFacts } from "./keys/setup-text.ts";
export { checkRepository, type CheckReport, type CheckRequest, type Finding } from "./repository/check.ts";
export { directoryStore } from "./repository/directory-store.ts";
export * from "./repository/errors.ts";
export { readAdvisories } from "./repository/list.ts";
export { manifestOfFile } from "./repository/package-file.ts";
export { type Publication, publish, type PublishRequest } from "./repository/publish.ts";
export type { PublishOptions, PublishProgress } from "./repository/progress.ts";
export { type ChannelTrust, readTrust } from "./repository/trust.ts";
export { s3Store } from "./repository/s3-store.ts";
export type { Store } from "./repository/store.ts";
export {
  checkPackageRequirements,
  checkRepositoryRequirements,
  type ToolRequirement,
} from "./requirements.ts";
