/**
 * One distribution kernel: find, fetch, unpack and prepare it; compile one of its units.
 *
 * @module
 */
export type { Architecture } from "./architecture.ts";
export {
  type DeclaredType,
  type Enumerator,
  type MemberLayout,
  readDeclarations,
  readEnumerators,
  readStructLayouts,
  type StructLayout,
} from "./btf.ts";
export { allOrNone } from "./all-or-none.ts";
export { isCompilable, type ObjtoolCommand, objtoolCommand } from "./command-table.ts";
export { preprocessAssembly } from "./assembly.ts";
export { cacheDirectory } from "./cache-directory.ts";
export { withLock } from "./cache.ts";
export { type CompiledUnit, type CompileRequest, compileUnit } from "./compile.ts";
export { withElfFile } from "./elf-file.ts";
export * from "./errors.ts";
export { fetchKernel, type KernelRequest } from "./fetch.ts";
export type { OnProgress, Progress } from "./progress.ts";
export { run, type RunOptions, type RunResult } from "./run.ts";
export { type KernelSummary, type KernelTree, listKernels, makeArguments, openKernel } from "./tree.ts";
export { type UnitObject, type Units, unitsOf } from "./units.ts";
export { type ChangelogRequest, readChangelog } from "./changelog.ts";
export { aptSources } from "./sources.ts";
export { type DiffRequest, diffVersions, type FileChange, type SourceDiff } from "./source-diff.ts";
export {
  checkRequirements,
  machineRequirements,
  type Requirement,
  type RequirementStatus,
} from "./requirements.ts";
export { writeTogether } from "./write-whole.ts";
