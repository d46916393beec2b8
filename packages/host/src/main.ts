/** `kgr` on the patched machine. */
import * as std from "qjs:std";
import { main } from "./mod.ts";
import { quickjsSystem } from "./quickjs.ts";

std.exit(await main(quickjsSystem(), scriptArgs.slice(1), scriptArgs[0]));
