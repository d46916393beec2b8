/**
 * A source change: unified diffs against the kernel's tree, sorted by what their files mean to a running kernel. C is
 * compiled; documentation and programs for other places change nothing; the rest cannot be brought about by replacing
 * functions.
 */
import { applyPatch, parsePatch, type StructuredPatch } from "diff";
import { BadChange, type UnitReason } from "../errors.ts";

export interface SourceChange {
  /** New text of each changed C or header file, by path in the tree. */
  readonly texts: ReadonlyMap<string, ChangedText>;
  /** Changed files that have no part in the running kernel. */
  readonly ignored: readonly string[];
  /** Changed files that no live patch can follow. */
  readonly reasons: readonly UnitReason[];
}

export interface ChangedText {
  /** Undefined for a file that the change creates. */
  readonly original: string | undefined;
  readonly patched: string;
}

export interface PatchFile {
  /** What to call it in messages. */
  readonly name: string;
  readonly text: string;
}

/** More than any single fix; a distribution's whole update has a few thousand files. */
const MAX_FILES = 20_000;

/**
 * Applies the diffs one after the other.
 *
 * @param readSource text of a file of the kernel's tree, undefined where there is none
 * @throws {BadChange} for what is no diff, does not apply, or leads out of the tree
 */
export async function readChange(
  patches: readonly PatchFile[],
  readSource: (path: string) => Promise<string | undefined>,
): Promise<SourceChange> {
  const texts = new Map<string, ChangedText>();
  const ignored = new Set<string>();
  const reasons = new Map<string, UnitReason>();
  for (const patch of patches) {
    for (const file of parse(patch)) {
      const path = pathOf(patch.name, file);
      const reason = refusal(path, file);
      if (reason !== undefined) reasons.set(path, reason);
      else if (!isCompiled(path)) ignored.add(path);
      else {
        const known = texts.get(path);
        const original = known === undefined ? await readSource(path) : known.original;
        texts.set(path, { original, patched: apply(patch.name, path, file, known?.patched ?? original) });
      }
    }
  }
  return { texts, ignored: [...ignored], reasons: [...reasons.values()] };
}

function parse(patch: PatchFile): StructuredPatch[] {
  let files: StructuredPatch[];
  try {
    files = parsePatch(withoutProse(patch.text)).filter(
      (file) => file.hunks.length > 0 || file.oldFileName !== undefined,
    );
  } catch (error) {
    throw new BadChange(
      `cannot read ${patch.name}: ${(error as Error).message}`,
      "give a unified diff, as `git diff`, `git format-patch` or `diff -u` writes it",
      { cause: error },
    );
  }
  const hint = "give a unified diff, as `git diff`, `git format-patch` or `diff -u` writes it";
  if (files.length === 0) {
    const found = patch.text.trim() === "" ? "it is empty" : "its lines are something else";
    throw new BadChange(`cannot read ${patch.name}: no unified diff was found in it, ${found}`, hint);
  }
  if (files.length > MAX_FILES) {
    throw new BadChange(
      `cannot read ${patch.name}: it changes ${files.length} files, wanted at most ${MAX_FILES}`,
      "give the diff of one fix",
    );
  }
  return files;
}

/**
 * The diff alone: a mail's text around it and its signature (`-- ` and a version, which reads like a removed line)
 * left out. Lines of a hunk are told by the hunk's own counts. Binary changes all look as `git diff` tells them,
 * the one form that the parser knows: `git diff --binary` brings the bytes, `diff -r` only the one line.
 */
function withoutProse(text: string): string {
  let [removed, added] = [0, 0]; // what the hunk still has to bring
  let inGitHeader = false;
  const kept = text.split("\n").flatMap((line) => {
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (removed <= 0 && added <= 0) {
      if (hunk !== null) [removed, added] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
      if (line.startsWith("diff --git ")) inGitHeader = true;
      else if (hunk !== null) inGitHeader = false;
      if (line === "GIT binary patch") return ["Binary files differ"];
      const binary = /^Binary files (\S+) and (\S+) differ$/.exec(line);
      if (binary !== null && !inGitHeader) {
        const path = [binary[2], binary[1]].find((name) => name !== "/dev/null")?.replace(/^[^/]*\//, "");
        return [`diff --git a/${path} b/${path}`, line];
      }
      // The parser reads modes where they stand in lines of their own.
      const mode = inGitHeader ? /^index \w+\.\.\w+ (\d{6})$/.exec(line)?.[1] : undefined;
      if (mode !== undefined) return [`old mode ${mode}`, line];
      return hunk !== null || isHeaderLine(line) ? [line] : [];
    }
    if (!line.startsWith("+") && !line.startsWith("\\")) removed--;
    if (!line.startsWith("-") && !line.startsWith("\\")) added--;
    return [line];
  });
  return `${kept.join("\n")}\n`;
}

function isHeaderLine(line: string): boolean {
  return /^(diff |index |--- |\+\+\+ |Index: |Binary |rename |copy |similarity |new file |deleted file |old mode |new mode |\\ )/.test(
    line,
  );
}

/** Path in the tree: without the first component (a/, b/, linux-6.1.orig/), as `patch -p1` takes it. */
function pathOf(patchName: string, file: StructuredPatch): string {
  const name = [file.newFileName, file.oldFileName].find((one) => one !== undefined && one !== "/dev/null");
  const path = stripFirst(name);
  const parts = path.split("/");
  if (
    path === "" ||
    path.startsWith("/") ||
    parts.includes("..") ||
    parts.includes("") ||
    path.includes("\0")
  ) {
    throw new BadChange(
      `cannot read ${patchName}: file name is ${JSON.stringify(name ?? "")}, wanted a path below the kernel's tree such as a/fs/ext4/mballoc.c`,
      "make the diff from the tree's top folder",
    );
  }
  return path;
}

function stripFirst(name: string | undefined): string {
  return name?.replace(/\t.*$/, "").replace(/^[^/]+\//, "") ?? "";
}

/** What the change does to the file besides its lines, or instead of them. */
function unlikeText(file: StructuredPatch): string | undefined {
  if (file.isRename) return `renamed from ${stripFirst(file.oldFileName)}`;
  if (file.isCopy) return `copied from ${stripFirst(file.oldFileName)}`;
  if (file.isDelete || file.newFileName === "/dev/null") return "deleted";
  if ([file.oldMode, file.newMode].some((mode) => mode === "120000")) return "a symbolic link";
  return file.isBinary ? "changed in binary form" : undefined;
}

function refusal(path: string, file: StructuredPatch): UnitReason | undefined {
  const refuse = (what: string, hint: string): UnitReason => ({
    code: "unsupported-file",
    unit: path,
    subject: path,
    message: `${path} is ${what}`,
    hint,
  });
  const origin = file.isRename ? stripFirst(file.oldFileName) : path;
  if (isElsewhere(path) && isElsewhere(origin)) return undefined;
  const unlike = unlikeText(file);
  if (unlike !== undefined) {
    return refuse(
      `${unlike}: files that are renamed, copied or deleted, symbolic links and binary changes are not taken, only changed lines and new files`,
      "leave it out, if the rest of the change stands without it",
    );
  }
  if (/\.S$|\.lds$|\.lds\.S$/.test(path)) {
    return refuse(
      "assembly or a linker script: a live patch replaces functions compiled from C",
      "leave it out, if the rest of the change stands without it",
    );
  }
  if (/(^|\/)(Kconfig|Makefile|Kbuild)[^/]*$|^arch\/[^/]+\/configs\//.test(path)) {
    return refuse(
      "the kernel's configuration or build: what is compiled cannot change under a running kernel",
      "leave it out, if the rest of the change stands without it",
    );
  }
  if (!isCompiled(path)) {
    return refuse(
      "no C source, and it is not known to be without effect on the running kernel",
      "leave it out, if the rest of the change stands without it",
    );
  }
  return undefined;
}

/** Documentation, and programs that do not run in the kernel. */
function isElsewhere(path: string): boolean {
  return (
    /^(Documentation|LICENSES|samples|scripts|tools|usr|debian)\//.test(path) ||
    /^(COPYING|CREDITS|MAINTAINERS|README|\.[a-z]+)$/.test(path) ||
    /\.(rst|txt|md|yaml)$/.test(path)
  );
}

function isCompiled(path: string): boolean {
  return /\.[ch]$/.test(path) && !isElsewhere(path);
}

function apply(patchName: string, path: string, file: StructuredPatch, text: string | undefined): string {
  if (text === undefined && file.oldFileName !== "/dev/null") {
    throw new BadChange(
      `cannot apply ${patchName}: ${path} is not in the kernel's source`,
      "take the diff against the very version that the kernel was built from, with paths such as a/fs/ext4/mballoc.c",
    );
  }
  const patched = applyPatch(text ?? "", file, { fuzzFactor: 0 });
  if (patched === false) {
    throw new BadChange(
      `cannot apply ${patchName}: its change to ${path} does not fit the text there`,
      "take the diff against the very version that the kernel was built from (kgraft kernel list shows it), or rebase it",
    );
  }
  return patched;
}
