/**
 * From a built live patch to what the machines of a fleet install: packages (.deb, .rpm), signed repositories,
 * advisories, lifecycle data.
 *
 * @module
 */
export { BadPackageInput } from "./package/errors.ts";
export {
  debVersion,
  type PatchVersion,
  patchPackageNames,
  type PatchPackageNames,
} from "./package/naming.ts";
