/**
 * Tables of a kernel that were read before. Who compares its units one by one reads the same image and the same exports
 * each time, and a hundred thousand symbols and types take longer than a unit: what was found in them is kept in a
 * folder, for as long as the file is the same one.
 */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { type ElfSymbol, openParts, symbolTable, type SymbolTableParts } from "@kgraft/elf";
import { writeTogether } from "@kgraft/kernel/files";
import { type Exports, exportsAt, type ParsedExports } from "./exports.ts";
import type { KernelTable } from "./kernel-table.ts";
import { sealedBy, type SealedList } from "./sealed.ts";

/** What has fewer symbols is read as fast as it is kept. */
const MANY_SYMBOLS = 5000;
/** Each takes some megabytes. */
const MAX_KEPT = 32;
/** A file that changed so recently may change once more without a trace in its times. */
const SETTLED_MS = 2000;
/** Another one for each change of what is kept, or of how names are hashed. */
const FORMAT = "kgraft 1";

/** What is kept, and where. */
export interface Keeping<Value> {
  /** What it is read from. */
  readonly file: string;
  readonly folder: string;
  readonly read: () => Value | Promise<Value>;
  /** In milliseconds since 1970. */
  readonly now?: number;
}

interface KeptTable extends Pick<KernelTable, "layouts"> {
  readonly parts: SymbolTableParts;
  /** Absent where the table tells nothing of it. */
  readonly sealedList?: SealedList;
}

/** The table of an image or a text, from the folder if it was read before; else it is read. */
export async function keptTable(keeping: Keeping<KernelTable>): Promise<KernelTable> {
  return kept<KernelTable, KernelTable, KeptTable>("table", keeping, {
    // A module's list of sealed functions is relocated; modules are small.
    isWorthIt: ({ symbols, isSealed, sealedList }) =>
      symbols.length >= MANY_SYMBOLS && (isSealed === undefined) === (sealedList === undefined),
    pack: ({ symbols, layouts, sealedList }) => ({
      parts: symbols.parts,
      layouts: new Map([...layouts].map(([name, { sizeBytes }]) => [name, { sizeBytes }])),
      ...(sealedList !== undefined && { sealedList }),
    }),
    unpack: ({ parts, layouts, sealedList }) => {
      const isSealed = sealedList && sealedBy(sealedList);
      const symbols = openParts(keeping.file, parts);
      return { symbols, layouts, isSealed, ...(sealedList !== undefined && { sealedList }) };
    },
  });
}

interface KeptExports {
  readonly text: string;
  /** Each export's line, as a symbol whose value is where it begins. */
  readonly lines: SymbolTableParts;
}

/** The same of a Module.symvers. */
export async function keptExports(keeping: Keeping<ParsedExports>): Promise<Exports> {
  return kept<Exports, ParsedExports, KeptExports>("exports", keeping, {
    isWorthIt: ({ starts }) => starts.size >= MANY_SYMBOLS,
    pack: ({ text, starts }) => ({ text, lines: symbolTable([...starts].map(lineSymbol)).parts }),
    unpack({ text, lines }) {
      const table = openParts(keeping.file, lines);
      return exportsAt(text, (name) => {
        const line = table.named(name)[0];
        return line && Number(line.value);
      });
    },
  });
}

function lineSymbol([name, start]: readonly [string, number]): ElfSymbol {
  const index = 0 as ElfSymbol["index"]; // its place gives it one
  const value = BigInt(start);
  return {
    index,
    name,
    binding: 0,
    type: 0,
    other: 0,
    sectionIndex: 0,
    reserved: false,
    value,
    sizeBytes: 0,
  };
}

/** How a value becomes a document of plain data, and the other way. */
interface Packing<Value, Read extends Value, Packed> {
  readonly isWorthIt: (value: Read) => boolean;
  readonly pack: (value: Read) => Packed;
  readonly unpack: (packed: Packed) => Value;
}

async function kept<Value, Read extends Value, Packed>(
  kind: string,
  { file, folder, read, now = Date.now() }: Keeping<Read>,
  { isWorthIt, pack, unpack }: Packing<Value, Read, Packed>,
): Promise<Value> {
  const identity = identityOf(file, now);
  if (identity === undefined) return read();
  const path = join(folder, `${kind}-${identity}`);
  // Nothing may be there, or something else.
  try {
    const { format, content } = deserialize(readFileSync(path)) as { format: string; content: Packed };
    if (format === FORMAT) return unpack(content);
  } catch {}
  const value = await read();
  if (!isWorthIt(value) || identityOf(file, now) !== identity) return value;
  // Where it cannot be kept, it is read again the next time.
  try {
    await writeTogether([[path, serialize({ format: FORMAT, content: pack(value) })]]);
    const all = readdirSync(folder).map((name) => join(folder, name));
    for (const old of all.toSorted((a, b) => writtenAt(b) - writtenAt(a)).slice(MAX_KEPT)) rmSync(old);
  } catch {}
  return value;
}

/** What becomes another whenever the file does; undefined where it is no file, or too young to tell. */
function identityOf(path: string, now: number): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (found?.isFile() !== true) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = found;
  if (Math.abs(now - Number(ctimeMs)) < SETTLED_MS) return undefined;
  return [dev, ino, size, mtimeNs, ctimeNs].map((number) => number.toString(36)).join("-");
}

function writtenAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
