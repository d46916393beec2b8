/**
 * `kgr`: the running kernel's live patches. The tool is `main()` over a {@link System}; src/main.ts runs it on
 * QuickJS, packages/host/build makes the static binary of that.
 *
 * @module
 */
export { main } from "./kgr.ts";
export {
  errorName,
  type RunOptions,
  type RunResult,
  type Stream,
  type System,
  SystemError,
} from "./system.ts";
