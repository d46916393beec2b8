/**
 * The room's second door: files alone, read by the parts that are asked for and written whole or not at all. It stands
 * apart so that who compares two objects does not load all that fetching a kernel needs.
 *
 * @module
 */
export { readStructLayouts } from "./btf.ts";
export { cacheDirectory } from "./cache-directory.ts";
export { withElfFile } from "./elf-file.ts";
export { writeTogether } from "./write-whole.ts";
