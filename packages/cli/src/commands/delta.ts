import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type Exports,
  keptExports,
  keptTable,
  type KernelTable,
  type NamedBytes,
  type ObjectDelta,
  objectDelta,
  type ParsedExports,
  parseSymvers,
  tableOfImage,
  tableOfText,
} from "@kgraft/build/engine";
import { cacheDirectory, withElfFile, writeTogether } from "@kgraft/kernel/files";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { DeltaInputUnfit } from "../errors.ts";
import { count, formatBytes, table as tabulate } from "../format.ts";
import { readInput } from "../input-file.ts";
import { parsePath, parseText } from "../parameters.ts";
import type { Style } from "../style.ts";

interface Flags {
  readonly object: string;
  readonly symbols: string;
  readonly symvers?: string;
  readonly output: string;
  readonly undefined: boolean;
  readonly json: boolean;
}

/** Ten times the largest unit of a kernel, with its debug data. */
const inputLimitBytes = 64 << 20;

const objectHint =
  "name two objects of one unit, compiled before and after the change by the kernel's own compiler and options, with -ffunction-sections -fdata-sections";
const symbolsHint =
  "name the kernel's image (vmlinux, or the module's .ko) or what `readelf -s --wide` prints of it";
const symversHint = "name the Module.symvers that the kernel's own build wrote";

async function run(this: Context, flags: Flags, original: string, patched: string): Promise<void> {
  const { signal } = this;
  const read = async (name: string, hint: string): Promise<NamedBytes> => ({
    name,
    bytes: await asInput(() => readInput(name, { hint, signal, limitBytes: inputLimitBytes }), hint),
  });
  const exports = await asInput(() => readExports(flags.symvers, signal), symversHint);
  const delta = await asInput(
    async () =>
      objectDelta({
        original: await read(original, objectHint),
        patched: await read(patched, objectHint),
        object: flags.object,
        leaveUndefined: flags.undefined,
        table: await asInput(() => readTable(flags.symbols, signal), symbolsHint),
        ...(exports !== undefined && { exports }),
      }),
    objectHint,
  );
  signal.throwIfAborted();
  await writeTogether([[flags.output, delta.bytes]]);
  const { bytes, ...said } = delta;
  answer(this, flags.json, { verdict: "patched", ...said, output: flags.output }, () => [
    ...deltaLines(delta, this.style),
    "",
    `${this.style.bold(flags.output)} (${formatBytes(bytes.length)})`,
  ]);
}

/** What is wrong with an input ends this command with 1, whatever kind of input it was. */
async function asInput<T>(work: () => Promise<T>, hint: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const names = ["BadInput", "ElfFormatError", "FileUnreadable", "ShippedKernelUnfit"];
    if (!(error instanceof Error) || !names.includes(error.name)) throw error;
    const own = "hint" in error && typeof error.hint === "string" ? error.hint : hint;
    throw new DeltaInputUnfit(error.message, own, { cause: error.cause ?? error });
  }
}

/** An image is read by the parts that are asked for: with its debug data it may have a gigabyte. */
async function readTable(path: string, signal: AbortSignal): Promise<KernelTable> {
  const read = async (): Promise<KernelTable> => {
    if (await isImage(path)) return withElfFile(path, path, tableOfImage);
    return tableOfText(path, await readText(path, symbolsHint, signal));
  };
  return keptTable({ file: path, folder: keptFolder(), read });
}

async function readExports(path: string | undefined, signal: AbortSignal): Promise<Exports | undefined> {
  if (path === undefined) return undefined;
  const read = async (): Promise<ParsedExports> =>
    parseSymvers(await readText(path, symversHint, signal), path);
  return keptExports({ file: path, folder: keptFolder(), read });
}

/** What was read of a kernel lies where the kernels lie. */
function keptFolder(): string {
  return join(cacheDirectory(), "tables");
}

async function readText(path: string, hint: string, signal: AbortSignal): Promise<string> {
  return new TextDecoder().decode(await readInput(path, { hint, signal, limitBytes: inputLimitBytes }));
}

async function isImage(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  // What cannot be opened is told where it is read.
  if (found?.isFile() !== true) return false;
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0).finally(() => file.close());
  return buffer.toString("latin1") === "\u007fELF";
}

/** What is replaced and what comes along. */
function deltaLines(delta: ObjectDelta, style: Style): readonly string[] {
  const { functions, added, livepatchSymbols, warnings } = delta;
  const rows = functions.map(({ name, sympos, originalSizeBytes, replacementSizeBytes }) => [
    `  ${name}${sympos === 0 ? "" : `,${sympos}`}`,
    `${originalSizeBytes}`,
    `-> ${replacementSizeBytes} bytes`,
  ]);
  return [
    `${count(functions.length, "function")} of ${delta.object} replaced:`,
    ...tabulate(rows, [1]),
    ...added.map((name) => `  added: ${name}`),
    `${count(livepatchSymbols.length, "symbol")} left to the livepatch core`,
    ...livepatchSymbols.map((name) => style.dim(`  ${name}`)),
    ...warnings.map(({ subject, message }) => style.yellow(`  warning: ${subject}: ${message}`)),
  ];
}

const objectParameter = (
  brief: string,
  placeholder: string,
): { brief: string; placeholder: string; parse: (text: string) => string } => ({
  brief,
  placeholder,
  parse: parseText,
});

export const deltaCommand: Command<Context> = buildCommand<Flags, [string, string], Context>({
  func: run,
  parameters: {
    flags: {
      object: {
        kind: "parsed",
        parse: parseText,
        brief: "What the unit is linked into: vmlinux, or a module's name",
        placeholder: "NAME",
      },
      symbols: {
        kind: "parsed",
        parse: parseText,
        brief: "That object as the kernel runs it, or the output of readelf -s --wide on it",
        placeholder: "FILE",
      },
      symvers: {
        kind: "parsed",
        parse: parseText,
        brief: "The kernel's Module.symvers: what it and its modules export",
        placeholder: "FILE",
        optional: true,
      },
      output: { kind: "parsed", parse: parsePath, brief: "The object to write", placeholder: "OUT.o" },
      undefined: {
        kind: "boolean",
        brief: "Leave names that are nowhere for another unit of the patch to define",
        default: false,
        withNegated: false,
      },
      json: jsonFlag,
    },
    aliases: { o: "output" },
    positional: {
      kind: "tuple",
      parameters: [
        objectParameter("The unit's object before the change", "ORIG.o"),
        objectParameter("The same after it", "PATCHED.o"),
      ],
    },
  },
  docs: {
    brief: "Compare two objects of one unit and write what a live patch must carry",
    fullDescription: `The difference engine alone: compares two objects of one unit, compiled before and after a
change with -ffunction-sections -fdata-sections, and writes an object with the changed and
new functions and what they need. No kernel has to be prepared, and neither DWARF nor BTF
is needed.

Exit status of this command:
    0  OUT.o is written
    1  bad input
    2  the change cannot become a live patch; all reasons are given
    3  no function does anything else than before

Examples:
  kgraft delta before.o after.o --object vmlinux --symbols vmlinux --symvers Module.symvers -o out.o
  readelf -s --wide loop.ko > loop.sym
  kgraft delta before.o after.o --object loop --symbols loop.sym -o out.o --json`,
  },
});
