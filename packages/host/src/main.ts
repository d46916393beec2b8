/**
 * `kgr` on the patched machine. This runs while the binary is built, up to a `start()` that waits for a command line
 * (packages/host/build/image.c); so nothing that it reaches may ask the system at the top level of a module.
 */
import * as std from "qjs:std";
import { main } from "./mod.ts";
import { quickjsSystem } from "./quickjs.ts";

// The commands that are asked again and again are then there already; the others are read when they are asked for.
await Promise.all([
  import("./commands/status.ts"),
  import("./commands/patches.ts"),
  import("./commands/blocking.ts"),
]);

async function start(): Promise<never> {
  return std.exit(await main(quickjsSystem(), scriptArgs.slice(1), scriptArgs[0]));
}

Object.assign(globalThis, { start });
