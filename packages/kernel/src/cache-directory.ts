import { homedir } from "node:os";
import { join } from "node:path";

/** `$KGRAFT_CACHE`, else `$XDG_CACHE_HOME/kgraft`, else `~/.cache/kgraft`. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return env["KGRAFT_CACHE"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kgraft");
}
