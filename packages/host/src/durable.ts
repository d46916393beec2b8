/**
 * Files that survive a power cut, whole: the old one or the new one, never a part and never none.
 *
 * The content is written through to the disk under another name, then that name is changed, then the folder with
 * the changed name is flushed (fsync(2), NOTES: a file's fsync does not do that for its folder). A folder cannot be
 * opened for writing, and QuickJS has no fsync: that last step is done by `sync FOLDER`, coreutils' or busybox's.
 */
import { n } from "./language.ts";
import { findProgram } from "./programs.ts";
import { type System, SystemError } from "./system.ts";

const syncLimitMs = 60_000;

/** Makes or replaces a file. @throws SystemError, MissingProgramError: then the old one is still there */
export async function replaceDurably(system: System, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  try {
    system.writeThrough(temporary, bytes);
    system.rename(temporary, path);
  } catch (error) {
    forget(system, temporary);
    throw error;
  }
  await flushNames(system, folderOf(path));
}

/** Removes a file, or does nothing where there is none. @throws SystemError, MissingProgramError */
export async function removeDurably(system: System, path: string): Promise<void> {
  if (system.exists(path)) {
    system.removeFile(path);
    await flushNames(system, folderOf(path));
  }
}

/** Makes one directory, or leaves it where it exists. @throws SystemError, MissingProgramError */
export async function makeDirectoryDurably(system: System, path: string): Promise<void> {
  if (!system.exists(path)) {
    system.makeDirectory(path);
    await flushNames(system, folderOf(path));
  }
}

/** Removes what was not finished, where that can be done. */
export function forget(system: System, path: string): void {
  try {
    system.removeFile(path);
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
  }
}

/** What was created, renamed and removed in a folder is on the disk from here on. @throws SystemError */
export async function flushNames(system: System, folder: string): Promise<void> {
  const result = await system.run([...findProgram(system, "sync"), folder], syncLimitMs);
  if (result.kind === "timeout" || result.status !== 0) {
    throw new SystemError(n`flush`, folder, "EIO");
  }
}

/** A value as a text file of JSON holds it; only ASCII: what is beyond is escaped. */
export function jsonBytes(value: unknown): Uint8Array {
  const text = JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return Uint8Array.from(`${text}\n`, (letter) => letter.charCodeAt(0));
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
