/**
 * QuickJS from Debian's source package, pinned by version and hash: the compiler `qjsc`, which turns a script
 * into bytecode in a C file, and the runtime as objects to link that with. The package's own Makefile also
 * builds what is not needed here, so the six files are compiled directly: for size, each function in a section
 * of its own, so that the linker leaves out what nobody calls. Link-time optimisation was tried: 8 kB smaller of
 * 1.7 MB, no faster, and thirty times the time to link.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { runProgram } from "./run.ts";
import { type SourcePackage, unpackSource, type Work } from "./source-package.ts";

const version = "2025.04.26";
const tarball: SourcePackage = {
  name: "quickjs",
  file: `quickjs_${version}.orig.tar.xz`,
  sha256: "ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe",
};
const units = ["quickjs", "dtoa", "libregexp", "libunicode", "cutils", "quickjs-libc"] as const;
const flags: readonly string[] = [
  "-Os",
  "-fwrapv", // as its Makefile: signed overflow is relied upon
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-pie",
  "-fno-asynchronous-unwind-tables",
  "-D_GNU_SOURCE",
  `-DCONFIG_VERSION="${version}"`,
  "-w",
];
/** gcc with musl as C library: starts in a quarter of glibc's time, and is half a megabyte smaller. */
const compiler = "musl-gcc";
const modules: readonly string[] = ["-M", "qjs:std,std", "-M", "qjs:os,os"];
const compileScript: readonly string[] = ["-c", "-m", ...modules];
const ownSources = ["launcher.c", "image.c"].map((name) => path.join(import.meta.dirname, name));
const imageSection = path.join(import.meta.dirname, "image.ld");
const ownFiles: readonly string[] = [...ownSources, imageSection, path.join(import.meta.dirname, "image.h")];
const wrapped = ["malloc", "calloc", "realloc", "free", "malloc_usable_size", "gettimeofday"];
const link: readonly string[] = [
  "-static",
  "-no-pie",
  "-s",
  "-Wl,--gc-sections",
  "-Wl,--build-id=none",
  "-Wl,-z,noseparate-code",
  ...wrapped.map((name) => `-Wl,--wrap=${name}`),
];
/** Larger than any image; the finished program has as much as its image takes. */
const firstArenaBytes = 4 << 20;

/** A built QuickJS in the cache. */
export interface QuickJs {
  readonly folder: string;
  /** Tells apart QuickJS of another version, other flags or another compiler. */
  readonly hash: string;
}

/**
 * Makes the program NAME of a script's pieces in a folder, the first of which runs; they import each other, and
 * beside that only `qjs:std` and `qjs:os`. Their names go into the bytecode, so they are relative: same script, same
 * bytes.
 */
export async function linkScript(
  quickjs: QuickJs,
  folder: string,
  name: string,
  pieces: readonly string[],
  work: Work,
): Promise<void> {
  work.onProgress({ stage: "link", message: `linking ${name}` });
  const options = { cwd: folder, signal: work.signal };
  const qjsc = path.join(quickjs.folder, "qjsc");
  // 1. Each piece as bytecode in a C file; what it imports is none of that file's business.
  const imports = pieces.flatMap((piece) => ["-M", piece]);
  for (const [at, piece] of pieces.entries()) {
    const names = ["-N", `piece_${at}`, "-o", `${piece}.c`, piece];
    // import() asks for the name of the file that it stands in, which is debug information.
    const importing = /\bimport\(/.test(await readFile(path.join(folder, piece), "utf8"));
    const strip = importing ? [] : ["-s"];
    await runProgram(qjsc, [...compileScript, ...strip, ...imports, ...names], options);
  }
  // 2. The table of them.
  await writeFile(path.join(folder, "pieces.c"), tableOf(pieces));
  // 3. Compiled once, linked twice: the first program sets itself up only to tell how large its image is.
  const sources = ["pieces.c", ...pieces.map((piece) => `${piece}.c`)];
  await runProgram(compiler, [...flags, `-I${quickjs.folder}`, "-c", ...sources], options);
  const compiled = sources.map((source) => source.replace(/c$/, "o"));
  const objects = [...compiled, ...units.map((unit) => path.join(quickjs.folder, `${unit}.o`))];
  const linked = path.join(folder, "linked");
  const image = path.join(folder, "image");
  const linkWith = async (arenaBytes: number): Promise<number> => {
    const own = [...flags, `-DARENA=${arenaBytes}`, `-I${quickjs.folder}`, ...ownSources];
    await runProgram(
      compiler,
      [...own, ...link, `-Wl,-T,${imageSection}`, "-o", linked, ...objects],
      options,
    );
    return Number(await runProgram(linked, [image], options));
  };
  await linkWith(await linkWith(firstArenaBytes));
  // 4. The program with its image.
  await runProgram("objcopy", ["--update-section", `.image=${image}`, linked, name], options);
  await Promise.all([...sources, ...compiled, "linked", "image"].map((file) => rm(path.join(folder, file))));
}

function tableOf(pieces: readonly string[]): string {
  const declared = pieces.map(
    (_, at) => `extern const uint8_t piece_${at}[];\nextern const uint32_t piece_${at}_size;\n`,
  );
  const rows = pieces.map((piece, at) => `\t{ "${piece}", piece_${at}, &piece_${at}_size },\n`);
  return `#include <stdint.h>
struct piece { const char *name; const uint8_t *code; const uint32_t *size; };
${declared.join("")}const struct piece pieces[] = {
${rows.join("")}\t{ 0 },
};
`;
}

/** QuickJS in the cache, fetched and compiled on first use. */
export async function prepareQuickJs(cache: string, work: Work): Promise<QuickJs> {
  const found = await runProgram(compiler, ["--version"], { cwd: "/", signal: work.signal });
  const own = await Promise.all(ownFiles.map((file) => readFile(file, "utf8")));
  const hash = createHash("sha256")
    .update(JSON.stringify([tarball, units, flags, compileScript, link, compiler, found, own]))
    .digest("hex")
    .slice(0, 16);
  const folder = path.join(cache, `quickjs-${version}-${hash}`);
  if (await exists(path.join(folder, "qjsc"))) {
    return { folder, hash };
  }
  await mkdir(cache, { recursive: true });
  const temporary = await mkdtemp(path.join(cache, "quickjs.tmp-"));
  try {
    await unpackSource(tarball, temporary, work);
    await compile(temporary, work);
    await rename(temporary, folder).catch(async (error: unknown) => {
      if (!(await exists(path.join(folder, "qjsc")))) {
        throw error; // otherwise another build was there first, with the same content
      }
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return { folder, hash };
}

async function compile(folder: string, work: Work): Promise<void> {
  work.onProgress({ stage: "compile", message: `QuickJS ${version}` });
  const failed = new AbortController();
  const options = { cwd: folder, signal: AbortSignal.any([work.signal, failed.signal]) };
  const compiled = units.map((unit) =>
    runProgram(compiler, [...flags, "-c", `${unit}.c`, "-o", `${unit}.o`], options).catch(
      (error: unknown) => {
        failed.abort(error); // the first failure ends the others
        throw error;
      },
    ),
  );
  await Promise.allSettled(compiled);
  await Promise.all(compiled);
  const objects = units.map((unit) => `${unit}.o`);
  // The last file made is the one that says that the folder is complete.
  const args = [...flags, "-static", "-no-pie", '-DCONFIG_PREFIX="/usr"', "-o", "qjsc", "qjsc.c", ...objects];
  await runProgram(compiler, [...args, "-lm", "-lpthread", "-ldl"], options);
}

export async function exists(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    () => false,
  );
}
