/**
 * Makes the static binary `kgr`: the TypeScript of this room bundled by esbuild to one script, that compiled to
 * bytecode by QuickJS, and that linked with QuickJS's runtime and the C library into one file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import packageJson from "../package.json" with { type: "json" };
import { exists, linkScript, prepareQuickJs } from "./quickjs.ts";
import type { Work } from "./source-package.ts";

export { CommandFailed, DownloadFailed, MirrorUnknown, ToolMissing } from "./errors.ts";
export { machineRequirements, type Requirement } from "./requirements.ts";
export { type SourcePackage, unpackSource, type Work } from "./source-package.ts";

const room = path.resolve(import.meta.dirname, "..");

/** What a patched machine gets besides the binary. */
export const hostTool: {
  /** A folder with files as they lie there. */
  readonly tree: string;
  /** Its manual pages, by where they go below /usr/share/man. */
  readonly manualPages: Readonly<Record<string, string>>;
  readonly version: string;
} = {
  tree: path.join(room, "etc"),
  manualPages: {
    "man1/kgr.1": path.resolve(room, "../../man/kgr.1"),
    "zh_TW/man1/kgr.1": path.resolve(room, "../../man/zh_TW/kgr.1"),
  },
  version: packageJson.version,
};

/**
 * Builds `kgr`, or answers the one in the cache where nothing changed.
 *
 * @returns path of the binary
 * @throws ToolMissing, MirrorUnknown, DownloadFailed, CommandFailed, or the signal's reason
 */
export async function buildKgr(options: {
  readonly onProgress?: Work["onProgress"];
  readonly signal: AbortSignal;
}): Promise<string> {
  const work: Work = { onProgress: options.onProgress ?? (() => {}), signal: options.signal };
  const cache =
    process.env["KGRAFT_CACHE"] ??
    path.join(process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"), "kgraft");
  // 1. The script, and QuickJS; both together name the result.
  const pieces = await bundle();
  const quickjs = await prepareQuickJs(cache, work);
  const hash = hashOf(quickjs.hash, pieces);
  const folder = path.join(cache, "kgr", hash);
  const binary = path.join(folder, "kgr");
  if (await exists(binary)) {
    return binary;
  }
  // 2. The binary, in a folder of its own that becomes visible when it is complete.
  await mkdir(path.dirname(folder), { recursive: true });
  const temporary = await mkdtemp(`${folder}.tmp-`);
  try {
    await Promise.all(pieces.map(({ name, code }) => writeFile(path.join(temporary, name), code)));
    const names = pieces.map(({ name }) => name);
    await linkScript(quickjs, temporary, "kgr", names, work);
    await flush(path.join(temporary, "kgr"));
    await rename(temporary, folder).catch(async (error: unknown) => {
      if (!(await exists(binary))) {
        throw error; // otherwise another build was there first, with the same content
      }
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return binary;
}

function hashOf(runtime: string, pieces: readonly Piece[]): string {
  const hash = createHash("sha256").update(runtime);
  for (const { name, code } of pieces) {
    hash.update(`${name} ${code.length}\n`).update(code);
  }
  return hash.digest("hex").slice(0, 32);
}

/** A piece of the bundled script: a module of its own, which others import by its name. */
interface Piece {
  readonly name: string;
  readonly code: Uint8Array;
}

/** The script in pieces, the first of which runs: what `import()` names is read when it is reached. */
async function bundle(): Promise<readonly Piece[]> {
  const result = await build({
    absWorkingDir: room,
    entryPoints: { kgr: "src/main.ts" },
    outdir: ".",
    bundle: true,
    splitting: true,
    write: false,
    minify: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    external: ["qjs:*"],
    logLevel: "silent",
  });
  const pieces = result.outputFiles.map(({ path: file, contents }) => ({
    name: path.basename(file),
    code: contents,
  }));
  const [first] = pieces.splice(
    pieces.findIndex(({ name }) => name === "kgr.js"),
    1,
  );
  return [first!, ...pieces.toSorted((a, b) => (a.name < b.name ? -1 : 1))]; // named by the entry point
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
