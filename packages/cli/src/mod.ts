/**
 * The `kgraft` command.
 *
 * @module
 */
export { type Io, kgraft } from "./app.ts";
export type { Stream } from "./board.ts";
