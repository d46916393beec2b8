/**
 * Which files were loaded since the machine was started, in order: the kernel knows a module's name, not where it
 * came from. To go back to the live patch before this one, and to tell the package that a patch came in, kgr
 * notes it in /run/kgr/load-history.json. No patch can have that name, a dash is none of its letters.
 */
import { kernelRelease } from "./kernel-identity.ts";
import { recordDirectory } from "./manifest-file.ts";
import { type System, SystemError } from "./system.ts";
import { listNames, readText } from "./text.ts";

const file = `${recordDirectory}/load-history.json`;
const longest = 100;

export interface Loaded {
  readonly name: string;
  /** Absolute path of the module. */
  readonly path: string;
}

/** Oldest first; nothing where the file is missing or damaged. */
export function readHistory(system: System): readonly Loaded[] {
  try {
    const value: unknown = JSON.parse(readText(system, file) ?? "[]");
    return Array.isArray(value) ? value.filter(isLoadedEntry) : [];
  } catch {
    return [];
  }
}

function isLoadedEntry(value: unknown): value is Loaded {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    "path" in value &&
    typeof value.name === "string" &&
    typeof value.path === "string"
  );
}

/** Notes a load. A machine whose /run is full is patched all the same. */
export function noteLoaded(system: System, loaded: Loaded): void {
  const others = readHistory(system).filter(({ name }) => name !== loaded.name);
  try {
    system.makeDirectory(recordDirectory);
    system.replaceFile(file, `${JSON.stringify([...others, loaded].slice(-longest))}\n`);
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
  }
}

/** The file that a loaded live patch came from: as noted, or where packages put it; null where none is found. */
export function fileOf(system: System, name: string): string | null {
  const noted = readHistory(system).find((loaded) => loaded.name === name)?.path;
  if (noted !== undefined) {
    return noted;
  }
  const folder = `/lib/modules/${kernelRelease(system)}/updates`;
  const folders = [folder, ...listNames(system, folder).map((entry) => `${folder}/${entry}`)];
  const names = [name, name.replaceAll("_", "-")];
  const paths = folders.flatMap((above) => names.map((stem) => `${above}/${stem}.ko`));
  return paths.find((path) => system.exists(path)) ?? null;
}
