/**
 * Tables that were read before. Who compares the units of a kernel one by one reads the same image each time, and its
 * hundred thousand symbols and types take longer than a unit: what was found in them is kept in a folder, for as long as
 * the image is the same file.
 */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { openParts, type SymbolTableParts } from "@kgraft/elf";
import { writeTogether } from "@kgraft/kernel/files";
import type { KernelTable } from "./kernel-table.ts";
import { sealedBy, type SealedList } from "./sealed.ts";

/** What has fewer symbols is read as fast as it is kept. */
const MANY_SYMBOLS = 5000;
/** A kept table takes some megabytes. */
const MAX_KEPT = 16;
/** A file that changed so recently may change once more without a trace in its times. */
const SETTLED_MS = 2000;
/** Another one for each change of what is kept, or of how names are hashed. */
const FORMAT = "kgraft table 1";

interface Kept extends Pick<KernelTable, "layouts"> {
  readonly format: string;
  readonly parts: SymbolTableParts;
  /** Absent where the table tells nothing of it. */
  readonly sealedList?: SealedList;
}

/**
 * The table of an image or a text, from `folder` if it was read before; else from `read`.
 *
 * @param now what time it is, in milliseconds since 1970
 */
export async function keptTable(
  image: string,
  folder: string,
  read: () => KernelTable | Promise<KernelTable>,
  now = Date.now(),
): Promise<KernelTable> {
  const identity = identityOf(image, now);
  if (identity === undefined) return read();
  const path = join(folder, identity);
  const known = restored(image, path);
  if (known !== undefined) return known;
  const table = await read();
  // Where it cannot be kept, it is read again the next time.
  if (isKeepable(table) && identityOf(image, now) === identity)
    await keep(table, folder, path).catch(() => {});
  return table;
}

/** What becomes another whenever the file does; undefined where it is no file, or too young to tell. */
function identityOf(path: string, now: number): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (found?.isFile() !== true) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = found;
  if (Math.abs(now - Number(ctimeMs)) < SETTLED_MS) return undefined;
  return [dev, ino, size, mtimeNs, ctimeNs].map((number) => number.toString(36)).join("-");
}

/** A module's list of sealed functions is relocated; modules are small. */
function isKeepable({ symbols, isSealed, sealedList }: KernelTable): boolean {
  return symbols.length >= MANY_SYMBOLS && (isSealed === undefined) === (sealedList === undefined);
}

async function keep(
  { symbols, layouts, sealedList }: KernelTable,
  folder: string,
  path: string,
): Promise<void> {
  const kept: Kept = {
    format: FORMAT,
    parts: symbols.parts,
    layouts: new Map([...layouts].map(([name, { sizeBytes }]) => [name, { sizeBytes }])),
    ...(sealedList !== undefined && { sealedList }),
  };
  await writeTogether([[path, serialize(kept)]]);
  const all = readdirSync(folder).map((name) => join(folder, name));
  for (const old of all.toSorted((a, b) => writtenAt(b) - writtenAt(a)).slice(MAX_KEPT))
    rmSync(old, { force: true });
}

function writtenAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Undefined where nothing is kept there, or something else. */
function restored(image: string, path: string): KernelTable | undefined {
  try {
    const { format, parts, layouts, sealedList } = deserialize(readFileSync(path)) as Kept;
    if (format !== FORMAT) return undefined;
    const symbols = openParts(image, parts);
    const isSealed = sealedList && sealedBy(sealedList);
    return { symbols, layouts, isSealed, ...(sealedList !== undefined && { sealedList }) };
  } catch {
    return undefined;
  }
}
