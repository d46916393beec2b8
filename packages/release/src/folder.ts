/**
 * A folder that a user named, with what is missing above it. mkdir of Node with `recursive` never ends, and takes no
 * signal, where a file system says ENOENT to a new folder although the one above is there: /proc, /sys, an automounter.
 */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** @throws the operating system's error */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path; await isMissing(at); at = dirname(at)) missing.unshift(at);
  for (const one of missing) await mkdir(one).catch(unlessCode("EEXIST")); // another was faster
  // What is there may be a file.
  if (missing.length === 0) await mkdir(path, { recursive: true });
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (cause: NodeJS.ErrnoException) => cause.code === "ENOENT" && dirname(path) !== path,
  );
}

function unlessCode(code: string): (cause: NodeJS.ErrnoException) => void {
  return (cause) => {
    if (cause.code !== code) throw cause;
  };
}
