/**
 * Whole updates of the distribution's kernel: what of them a live patch can carry.
 *
 * @module
 */
export { buildPlan, type BuiltPlan, planName } from "./build-plan.ts";
export { neededBy } from "./closure.ts";
export type { ListedFix } from "./changelog.ts";
export type { FixVerdict, PlannedFix } from "./fixes.ts";
export {
  makePlan,
  type Plan,
  type PlannedFile,
  type PlannedFunction,
  type PlannedUnit,
  type PlanRequest,
} from "./plan.ts";
export { planPage } from "./page/page.ts";
export { readUpdate, type Update } from "./update.ts";
