import { build, type LivePatch, signingHashes } from "@kgraft/build";
import type { ManifestFix } from "@kgraft/contract";
import { openKernel } from "@kgraft/kernel";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { count, formatBytes, table } from "../format.ts";
import { readInput } from "../input-file.ts";
import { parseCvss, parseImpact } from "../fix-parameters.ts";
import { parseFix, parsePath, parseText } from "../parameters.ts";
import { type SigningFlags, signingFlags, signingOf } from "../signing-flags.ts";
import { buildTitles, follow } from "../stages.ts";
import type { Style } from "../style.ts";

interface Flags extends SigningFlags {
  readonly kernel: string;
  readonly output?: string;
  readonly name?: string;
  readonly fix?: readonly { readonly id: string; readonly title: string }[];
  readonly cvss?: readonly { readonly id: string; readonly vector: string; readonly score: number }[];
  readonly impact?: readonly { readonly id: string; readonly impact: "stability" | "data-corruption" }[];
  readonly json: boolean;
}

const patchHint = "name a unified diff, as `git diff` or `kgraft diff` writes it";

async function run(this: Context, flags: Flags, ...files: string[]): Promise<void> {
  const kernel = await openKernel(flags.kernel);
  const patches = await Promise.all(
    files.map(async (name) => {
      const bytes = await readInput(name, { hint: patchHint, signal: this.signal });
      return { name, text: bytes.toString("utf8") };
    }),
  );
  const progress = follow(this.board, buildTitles);
  const livePatch = await build(
    {
      kernel,
      patches,
      directory: flags.output ?? process.cwd(),
      ...(flags.name !== undefined && { name: flags.name }),
      ...(flags.fix !== undefined && { fixes: fixesOf(flags) }),
      ...signingOf(flags),
    },
    { onProgress: progress.onProgress, signal: this.signal },
  );
  progress.done();
  answer(this, flags.json, livePatch, () => [
    ...livePatchLines(livePatch, this.style),
    "",
    `${this.style.bold(livePatch.modulePath)} (${formatBytes(livePatch.manifest.module.sizeBytes)})`,
    livePatch.manifestPath,
  ]);
}

/** The fixes, each with what else was said of it. */
function fixesOf({ fix = [], cvss = [], impact = [] }: Flags): readonly ManifestFix[] {
  return fix.map(({ id, title }) => {
    const scored = cvss.find((one) => one.id === id);
    const harmful = impact.find((one) => one.id === id);
    return {
      id,
      title,
      ...(scored !== undefined && { cvss: { vector: scored.vector, score: scored.score } }),
      ...(harmful !== undefined && { impact: harmful.impact }),
    };
  });
}

/** What a live patch replaces, and what was said about it. */
export function livePatchLines(livePatch: LivePatch, style: Style): readonly string[] {
  const { functions, kernel } = livePatch.manifest;
  const rows = functions.map((one) => [
    `  ${one.name}`,
    style.dim(one.object),
    style.dim(one.unit),
    `${one.originalSizeBytes}`,
    `-> ${one.replacementSizeBytes} bytes`,
  ]);
  return [
    `${count(functions.length, "function")} of ${kernel.release} replaced:`,
    ...table(rows, [3]),
    `${style.green("✔")} compiled originals equal the shipped kernel's, byte by byte`,
    ...livePatch.added.map((name) => `  added: ${name}`),
    ...livePatch.warnings.map(({ unit, subject, message }) =>
      style.yellow(`  warning: ${unit}: ${subject}: ${message}`),
    ),
    ...livePatch.ignored.map((path) => style.dim(`  ${path}: no part in the running kernel, left out`)),
  ];
}

export const kgraftBuildCommand: Command<Context> = buildCommand<Flags, string[], Context>({
  func: run,
  parameters: {
    flags: {
      kernel: {
        kind: "parsed",
        parse: parseText,
        brief: "Release of the kernel, fetched before",
        placeholder: "RELEASE",
      },
      output: {
        kind: "parsed",
        parse: parsePath,
        brief: "Where NAME.ko and NAME.json go; here if not given",
        placeholder: "DIR",
        optional: true,
      },
      name: {
        kind: "parsed",
        parse: parseText,
        brief: "Name of the live patch; made from the first diff's if not given",
        placeholder: "NAME",
        optional: true,
      },
      cvss: {
        kind: "parsed",
        parse: parseCvss,
        brief: "How severe a fix is; may be given more than once",
        placeholder: "ID=VECTOR",
        optional: true,
        variadic: true,
      },
      impact: {
        kind: "parsed",
        parse: parseImpact,
        brief: "That a fix is about stability or data-corruption",
        placeholder: "ID=WORD",
        optional: true,
        variadic: true,
      },
      fix: {
        kind: "parsed",
        parse: parseFix,
        brief: "What it repairs, for the manifest; may be given more than once",
        placeholder: "ID=TITLE",
        optional: true,
        variadic: true,
      },
      ...signingFlags,
      signHash: {
        kind: "enum",
        values: signingHashes,
        brief: "What it is hashed by; sha256 if not given",
        placeholder: "HASH",
        optional: true,
      },
      json: jsonFlag,
    },
    aliases: { o: "output" },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: {
        brief: "Unified diff against the kernel's source; several apply in this order",
        placeholder: "FIX.patch",
        parse: parsePath,
      },
    },
  },
  docs: {
    brief: "Build a live patch from a source change",
    fullDescription: `Compiles what the change touches before and after it, proves that the compiled originals
are what the distribution shipped, and makes NAME.ko and its manifest NAME.json. A change
that no live patch can carry is refused with all reasons (exit status 2).

Examples:
  kgraft diff --from 6.1.192-1 --to 6.1.192-2 > fix.patch
  kgraft build --kernel 6.1.0-55-cloud-amd64 fix.patch -o out --name ext4_fix
  kgraft build --kernel 6.1.0-55-cloud-amd64 fix.patch --sign-key key.pem --sign-cert cert.pem
  kgraft build --kernel 6.1.0-55-cloud-amd64 a.patch b.patch --fix "CVE-2026-1234=ext4: fix a crash"`,
  },
});
