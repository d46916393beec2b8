import { createTwoFilesPatch } from "diff";
import { describe, expect, test } from "vitest";
import { BadChange } from "../errors.ts";
import { readChange } from "./change.ts";

const tree: Readonly<Record<string, string>> = {
  "fs/a.c": "int a;\nint b;\nint c;\n",
  "include/linux/a.h": "#define A 1\n",
  "arch/x86/entry/entry_64.S": "nop\n",
  "fs/Kconfig": "config A\n",
  "Documentation/a.rst": "text\n",
  "fs/ext4/Makefile": "obj-y += a.o\n",
  "tools/perf/a.c": "int a;\n",
};
const readSource = (path: string): Promise<string | undefined> => Promise.resolve(tree[path]);

function diff(path: string, to: string, from = tree[path] ?? ""): string {
  return createTwoFilesPatch(`a/${path}`, `b/${path}`, from, to);
}

const change = (...texts: string[]): ReturnType<typeof readChange> =>
  readChange(
    texts.map((text, index) => ({ name: `${index}.patch`, text })),
    readSource,
  );

describe("readChange()", () => {
  test("applies diffs of C sources and headers one after the other", async () => {
    const first = diff("fs/a.c", "int a;\nint b2;\nint c;\n");
    const second = diff("fs/a.c", "int a;\nint b3;\nint c;\n", "int a;\nint b2;\nint c;\n");
    const { texts, reasons } = await change(first, second, diff("include/linux/a.h", "#define A 2\n"));
    expect(texts.get("fs/a.c")).toEqual({ original: tree["fs/a.c"], patched: "int a;\nint b3;\nint c;\n" });
    expect(texts.get("include/linux/a.h")?.patched).toBe("#define A 2\n");
    expect(reasons).toEqual([]);
  });

  test("reads what git format-patch writes", async () => {
    const mail = `From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] fix\n\nWhy.\n\n---\n fs/a.c | 2 +-\n\ndiff --git a/fs/a.c b/fs/a.c\nindex 1..2 100644\n--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1,3 +1,3 @@\n int a;\n-int b;\n+long b;\n int c;\n-- \n2.39.5\n\n`;
    expect((await change(mail)).texts.get("fs/a.c")?.patched).toBe("int a;\nlong b;\nint c;\n");
  });

  test("takes a new file", async () => {
    const text = `--- /dev/null\n+++ b/fs/new.h\n@@ -0,0 +1 @@\n+#define NEW 1\n`;
    expect((await change(text)).texts.get("fs/new.h")).toEqual({
      original: undefined,
      patched: "#define NEW 1\n",
    });
  });

  test("takes 100,000 hunks, and says which do not fit", async () => {
    const numbers = Array.from({ length: 100_000 }, (_, index) => index);
    const lines = numbers.map((n) => `int v${n};\n\n\n`);
    const hunks = numbers.map((n) => `@@ -${n * 3 + 1} +${n * 3 + 1} @@\n-int v${n};\n+long v${n};\n`);
    const patch = { name: "many.patch", text: `--- a/fs/m.c\n+++ b/fs/m.c\n${hunks.join("")}` };
    const { texts } = await readChange([patch], () => Promise.resolve(lines.join("")));
    expect(texts.get("fs/m.c")?.patched).toBe(lines.join("").replaceAll("int", "long"));
    const other = lines.with(77_777, "char other;\n\n\n").join("");
    await expect(readChange([patch], () => Promise.resolve(other))).rejects.toThrow(BadChange);
  });

  test.each(["Documentation/a.rst", "tools/perf/a.c"])(
    "passes over %s, which does not run in the kernel",
    async (path) => {
      expect(await change(diff(path, "other\n"))).toMatchObject({ ignored: [path], reasons: [] });
    },
  );

  test.each(["arch/x86/entry/entry_64.S", "fs/Kconfig", "fs/ext4/Makefile"])("refuses %s", async (path) => {
    expect((await change(diff(path, "other\n"))).reasons).toMatchObject([
      { code: "unsupported-file", unit: path },
    ]);
  });

  const git = (path: string, ...lines: string[]): string =>
    [`diff --git a/${path} b/${path}`, ...lines, ""].join("\n");
  const moved = (how: string): string =>
    `diff --git a/fs/a.c b/fs/b.c\nsimilarity index 100%\n${how} from fs/a.c\n${how} to fs/b.c\n`;
  const notTaken: readonly (readonly [what: string, text: string, unit: string, message: RegExp])[] = [
    ["a renamed file", moved("rename"), "fs/b.c", /^fs\/b\.c is renamed from fs\/a\.c: .* not taken/],
    ["a copied file", moved("copy"), "fs/b.c", /is copied from fs\/a\.c/],
    [
      "a file that leaves the kernel",
      "diff --git a/fs/a.c b/tools/a.c\nsimilarity index 100%\nrename from fs/a.c\nrename to tools/a.c\n",
      "tools/a.c",
      /is renamed from fs\/a\.c/,
    ],
    [
      "a deleted file",
      git("fs/a.c", "deleted file mode 100644", "--- a/fs/a.c", "+++ /dev/null", "@@ -1 +0,0 @@", "-int a;"),
      "fs/a.c",
      /is deleted: /,
    ],
    [
      "a deleted file without git",
      "--- a/fs/a.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-int a;\n",
      "fs/a.c",
      /deleted/,
    ],
    ["a deleted empty file", git("fs/e.c", "deleted file mode 100644", "index 1..0"), "fs/e.c", /deleted/],
    [
      "a binary change",
      git("fs/x.bin", "index 1..2 100644", "Binary files a/fs/x.bin and b/fs/x.bin differ"),
      "fs/x.bin",
      /is changed in binary form: .* not taken/,
    ],
    [
      "a binary change with its bytes",
      git("fs/a.c", "index 1..2 100644", "GIT binary patch", "literal 3", "KcmZQzWMT#Y01f~L", ""),
      "fs/a.c",
      /binary form/,
    ],
    [
      "a new symbolic link",
      git("fs/l.c", "new file mode 120000", "--- /dev/null", "+++ b/fs/l.c", "@@ -0,0 +1 @@", "+/etc/passwd"),
      "fs/l.c",
      /is a symbolic link: .* not taken/,
    ],
    [
      "a changed symbolic link",
      git("fs/l.c", "index 1..2 120000", "--- a/fs/l.c", "+++ b/fs/l.c", "@@ -1 +1 @@", "-a", "+b"),
      "fs/l.c",
      /is a symbolic link/,
    ],
    [
      "a binary change after another, as diff -r tells it",
      `${diff("fs/a.c", "int a;\n")}Binary files linux.orig/fs/x.bin and linux/fs/x.bin differ\n`,
      "fs/x.bin",
      /binary form/,
    ],
  ];
  test.each(notTaken)("does not take %s", async (_, text, unit, message) => {
    const { reasons } = await change(text);
    expect(reasons).toMatchObject([{ code: "unsupported-file", unit }]);
    expect(reasons[0]?.message).toMatch(message);
  });

  const bad: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
    "no diff": ["hello\n", /no unified diff was found in it, its lines are something else/],
    "binary garbage": ["\u0000\ufffd\u0001PK\n\ufffd\n", /no unified diff was found in it/],
    nothing: ["", /no unified diff was found in it, it is empty/],
    "blank lines": ["\n \n", /no unified diff was found in it, it is empty/],
    "a diff that does not fit": [
      diff("fs/a.c", "int x;\nint z;\n", "int x;\nint y;\n"),
      /does not fit the text/,
    ],
    "a file that is not there": [
      diff("fs/gone.c", "int x;\n", "int y;\n"),
      /fs\/gone\.c is not in the kernel's source/,
    ],
    "a path out of the tree": [
      "--- a/../x.c\n+++ b/../x.c\n@@ -1 +1 @@\n-a\n+b\n",
      /wanted a path below the kernel's tree/,
    ],
    "an absolute path": [
      "--- /etc/x.c\n+++ /etc/x.c\n@@ -1 +1 @@\n-a\n+b\n",
      /wanted a path below the kernel's tree/,
    ],
    "a truncated hunk": [
      "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -1,3 +1,3 @@\n int a;\n-int b;\n",
      /cannot (read|apply)/,
    ],
  };

  test.each(Object.entries(bad))("rejects %s", async (_, [text, message]) => {
    const failure = await change(text).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BadChange);
    expect((failure as BadChange).message).toMatch(message);
    expect((failure as BadChange).hint).not.toBe("");
  });
});
