/**
 * Puts the command together: its three hundred modules become a few files, of which a process loads those of its
 * command. A command that works for a moment, as `kgraft delta` does, is otherwise busy with loading for as long again.
 *
 * The result lies in `build/command`: a folder for each content, and the link `current` to the newest. Its first file
 * looks whether the sources are those that it was made of; where one has changed it runs the sources themselves,
 * and takes the link away, so that the launcher makes another.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

const root = path.resolve(import.meta.dirname, "../../..");
const source = path.join(root, "packages/cli/src/main.ts");
const home = path.join(root, "build/command");
/** Who runs an older one may still have to load a part of it. */
const KEPT_MS = 3_600_000;
/** So much older than the clock the time of a file may be that was written just now. */
const CLOCK_TICK_MS = 10;

/**
 * A module finds the files beside it where it lies itself. And it takes of Node's own modules only what it names: for
 * an `import` Node asks them for all that they offer, and so loads streams and line editing behind `node:fs`, which
 * takes as long as Node's own start.
 */
const asItStands: Plugin = {
  name: "as it stands",
  setup(bundling) {
    bundling.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const text = await readFile(file, "utf8");
      return {
        loader: "ts",
        contents: text
          .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(file).href))
          .replaceAll("import.meta.dirname", JSON.stringify(path.dirname(file)))
          .replaceAll(/^import (\{[^}]*\}|\w+) from ("node:[^"]+");$/gm, fromNode),
      };
    });
  },
};

/** The statement that takes `names` of one of Node's own modules. */
function fromNode(_: string, names: string, module: string): string {
  const values = names.replaceAll(/\btype \w+,?/g, "").replaceAll(" as ", ": ");
  return `const ${values} = process.getBuiltinModule(${module});`;
}

const began = Date.now();
const made = await build({
  absWorkingDir: root,
  entryPoints: { command: source },
  bundle: true,
  splitting: true,
  format: "esm",
  outExtension: { ".js": ".mjs" },
  platform: "node",
  target: "node24",
  outdir: home,
  write: false,
  metafile: true,
  logLevel: "silent",
  plugins: [asItStands],
  // The words of the command line are read in each run; the other packages are for single commands.
  external: ["aws4fetch", "ae-cvss-calculator", "diff", "esbuild", "execa", "iced-x86", "zod"],
});
const files = Object.keys(made.metafile.inputs).filter((file) => !file.startsWith("node_modules/"));
const sources = await Promise.all(
  files.map(async (file) => {
    const { mtimeMs, size } = await stat(path.join(root, file));
    return [path.join(root, file), mtimeMs, size] as const;
  }),
);
const first = `
const { rmSync, statSync } = process.getBuiltinModule("node:fs");
const sources = ${JSON.stringify(sources)};
const isAsItWas = ([file, mtimeMs, size]) => {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.mtimeMs === mtimeMs && found.size === size;
};
if (sources.every(isAsItWas)) await import("./command.mjs");
else {
  try { rmSync(${JSON.stringify(path.join(home, "current"))}); } catch {}
  await import(${JSON.stringify(source)});
}
`;
const pieces = [
  { name: "main.mjs", text: first },
  ...made.outputFiles.map((file) => ({ name: path.relative(home, file.path), text: file.text })),
];
const hash = createHash("sha256");
for (const { name, text } of pieces) hash.update(`${name}\0${text}\0`);
const folder = path.join(home, hash.digest("hex").slice(0, 16));

await mkdir(home, { recursive: true });
const temporary = path.join(home, `tmp-${process.pid}-${Date.now().toString(36)}`);
await mkdir(temporary);
await Promise.all(pieces.map(({ name, text }) => writeFile(path.join(temporary, name), text)));
await rename(temporary, folder).catch(() => rm(temporary, { recursive: true })); // it was there before
// What was written meanwhile may have been read before: then the sources run, and the next run tries again.
const isSettled = sources.every(([, mtimeMs]) => mtimeMs < began - CLOCK_TICK_MS);
if (isSettled) {
  const link = path.join(home, `link-${process.pid}`);
  await symlink(path.basename(folder), link);
  await rename(link, path.join(home, "current"));
}

const old = Date.now() - KEPT_MS;
for (const name of await readdir(home)) {
  const { mtimeMs } = await stat(path.join(home, name)).catch(() => ({ mtimeMs: Date.now() }));
  const isOld = name !== "current" && name !== path.basename(folder) && mtimeMs < old;
  if (isOld) await rm(path.join(home, name), { recursive: true, force: true });
}
