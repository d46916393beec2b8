import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { changedLayouts, changedPrototypes, changedVariables } from "./layouts.ts";

function compile(source: string): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-layouts-"));
  try {
    writeFileSync(join(directory, "unit.c"), source);
    execFileSync("gcc", ["-gbtf", "-c", "-o", "unit.o", "unit.c"], { cwd: directory });
    return readFileSync(join(directory, "unit.o"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const common = `
  struct list { struct list *next, *before; }; struct one { int a, b; }; struct two { int a, b; };
  struct raw { struct one one; }; struct lock { union { struct raw raw; }; }; enum red { R }; enum green { G };
  typedef struct { int counter; } counter; struct whole;`;

/** The difference that a structure with these members shows where it gets those. */
function difference(was: string, is: string): string | undefined {
  const [before, after] = [was, is].map((members) =>
    compile(`${common} struct whole { ${members} }; void *use(struct whole *w) { return w; }`),
  ) as [Uint8Array, Uint8Array];
  const [first, ...others] = changedLayouts("unit", before, after);
  expect(others).toEqual([]);
  return first === undefined ? undefined : `${first.name}: ${first.difference}`;
}

test.each([
  ["struct one *p;", "struct two *p;", "struct whole: member p was struct one *, is struct two *"],
  ["struct one *p[2];", "struct two *p[2];", "struct whole: member p was struct one *[], is struct two *[]"],
  ["struct one m;", "struct two m;", "struct whole: member m was struct one, is struct two"],
  ["enum red e;", "enum green e;", "struct whole: member e was enum red, is enum green"],
  ["struct { int a, b; } m;", "struct { int b, a; } m;", "struct whole: member m.a was at offset 0, is at 4"],
  [
    "struct { int a, b; } m[2];",
    "struct { int b, a; } m[2];",
    "struct whole: member m[].a was at offset 0, is at 4",
  ],
  ["struct { int a; } m;", "struct { int kgraft_was_a; } m;", undefined],
  ["struct one *p;", "const struct one *p;", undefined],
  ["struct one *p;", "void *p;", undefined],
  ["struct lock m;", "struct raw m;", undefined],
  ["struct raw m;", "struct lock m;", undefined],
  ["int m;", "counter m;", undefined],
])("changedLayouts() of %s and %s", (was, is, wanted) => {
  expect(difference(was, is)).toBe(wanted);
});

test("changedLayouts() sees what a typedef names", () => {
  const unit = (members: string): Uint8Array =>
    compile(`typedef struct { ${members} } pair; int use(pair *p) { return p->a; }`);
  expect(changedLayouts("unit", unit("int a, b;"), unit("int b, a;"))).toEqual([
    { name: "typedef pair", difference: "member a was at offset 0, is at 4" },
  ]);
});

test.each([
  ["struct one *v", "struct two *v", "variable v was struct one *, is struct two *"],
  ["struct one v", "struct two v", "variable v was struct one, is struct two"],
  ["static struct one *v", "static struct two *v", "variable v was struct one *, is struct two *"],
  ["unsigned char v[8]", "unsigned short v[4]", "variable v had elements of 1 bytes, has such of 2"],
  ["struct one *v", "const struct one *v", undefined],
  ["struct one *v", "void *v", undefined],
  ["struct lock v", "struct raw v", undefined],
  ["int v", "counter v", undefined],
  ["int v", "unsigned v", undefined],
  ["int v[2]", "int v[3]", undefined],
])("changedVariables() of %s and %s", (was, is, wanted) => {
  const [before, after] = [was, is].map((declared) =>
    compile(`${common} ${declared}; void *use(void) { return (void *)&v; }`),
  ) as [Uint8Array, Uint8Array];
  const found = changedVariables("unit", before, after).map(({ message }) => message);
  expect(found).toEqual(wanted === undefined ? [] : [`${wanted}: the running kernel has the old one in it`]);
});

test.each([
  ["int f(int a)", "int f(int a, int b)", ["f"]],
  ["int f(int a)", "int f(long a)", ["f"]],
  ["int f(int a)", "long f(int a)", ["f"]],
  ["int f(int a)", "void f(int a)", ["f"]],
  ["int f(struct one *a)", "int f(struct two *a)", ["f"]],
  ["int f(struct one a)", "int f(struct one *a)", ["f"]],
  ["int f(int a)", "int f(unsigned a)", []],
  ["int f(struct one *a)", "int f(const struct one *b)", []],
])("changedPrototypes() of %s and %s", (was, is, wanted) => {
  const [before, after] = [was, is].map((declared) =>
    compile(
      `${common} ${declared} { ${declared.startsWith("void") ? "" : "return 0;"} } void *use(void) { return f; }`,
    ),
  ) as [Uint8Array, Uint8Array];
  expect(changedPrototypes("unit", before, after)).toEqual(wanted);
});
