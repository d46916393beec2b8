import { expect, test } from "vitest";
import { keepStructures, touchedMembers, withoutBodies } from "./structures.ts";

test.each<[title: string, original: string, patched: string, kept: string]>([
  [
    "puts a grown structure back, and leaves the rest of the change",
    "struct a {\n\tint x;\n};\nint f(void) { return 1; }\n",
    "struct a {\n\tint x;\n\tint y;\n};\nint f(void) { return 2; }\n",
    "struct a {\n\tint x;\n};\nint f(void) { return 2; }\n",
  ],
  [
    "takes inner structures, braces in comments, strings and directives for what they are",
    "struct a {\n\tstruct { int x; } in; /* } */\n#define B }\n\tchar c['}'];\n} __packed;\nunion u { int i; };\n",
    "struct a {\n\tlong new;\n\tstruct { int x; } in; /* } */\n#define B }\n\tchar c['}'];\n} __packed;\nunion u { int i; long l; };\n",
    "struct a {\n\tstruct { int x; } in; /* } */\n#define B }\n\tchar c['}'];\n} __packed;\nunion u { int i; };\n",
  ],
  [
    "leaves a new structure and one that is gone",
    "struct gone { int x; };\nint f(void);\n",
    "struct fresh { int x; };\nint f(void);\n",
    "struct fresh { int x; };\nint f(void);\n",
  ],
  [
    "pairs the definitions of one name by their order",
    "#ifdef A\nstruct s { int a; };\n#else\nstruct s { int b; };\n#endif\n",
    "#ifdef A\nstruct s { int a, n; };\n#else\nstruct s { int b, n; };\n#endif\n",
    "#ifdef A\nstruct s { int a; };\n#else\nstruct s { int b; };\n#endif\n",
  ],
  [
    "leaves a name that is defined more often than before",
    "struct s { int a; };\n",
    "#ifdef A\nstruct s { int a; };\n#else\nstruct s { int b; };\n#endif\n",
    "#ifdef A\nstruct s { int a; };\n#else\nstruct s { int b; };\n#endif\n",
  ],
  [
    "finds a definition inside of a function, and no use of a name",
    "int f(struct s *p)\n{\n\tstruct t { int a; } t;\n\treturn 0;\n}\n",
    "int f(struct s *p)\n{\n\tstruct t { int a, b; } t;\n\treturn 1;\n}\n",
    "int f(struct s *p)\n{\n\tstruct t { int a; } t;\n\treturn 1;\n}\n",
  ],
  ["stands text that ends in the middle", "struct a {", "struct a { int x;", "struct a { int x;"],
])("keepStructures() %s", (_, original, patched, kept) => {
  expect(keepStructures(original, patched)).toBe(kept);
});

const header = `struct s {
	int old, added;
};
static inline int get(struct s *s)
{
	return s->added;
}
static inline int other(struct s *s) { return s->old; } /* s->added */
#define ADDED(s) ((s)->added)
extern int table[] = { 1 };
`;

test.each<[was: string, is: string, touched: readonly string[]]>([
  ["int old;", "int old, added;", ["added"]],
  ["int old, other;", "int old; int other;", []],
  [
    "u8 weight;\tu32 flags:3;",
    "u16 weight; /* more */\n#ifdef X\nu32 flags:4;\n#endif\n",
    ["weight", "flags"],
  ],
  ["struct { char a[4]; } in;", "struct { char a[8]; } in;", ["a"]],
  ["int (*call)(int);", "int (*call)(int, int); struct s __rcu *next;", ["call", "next"]],
  ["int gone; struct other in;", "struct other   in;", []],
])("touchedMembers() of { %s } that becomes { %s }", (was, is, touched) => {
  const found = touchedMembers(`struct s { ${was} };`, `struct s { ${is} };\nstruct fresh { int x; };`);
  expect([...found]).toEqual(touched.map((name) => [name, ["struct s"]]));
});

test("keepStructures() hides members that became something else", () => {
  const kept = keepStructures(
    "struct s { u8 weight; int x; };",
    "struct s { u16 weight; int x; };",
    new Map([["weight", ["struct s"]]]),
  );
  expect(kept).toBe("struct s { u8 kgraft_was_weight; int x; };");
});

test("withoutBodies() takes the bodies of functions that touch such a member, and no line", () => {
  const without = withoutBodies(header, new Map([["added", ["struct s"]]]));
  expect(without.split("\n")).toHaveLength(header.split("\n").length);
  expect(without).toMatch(/get\(struct s \*s\)\n\{ extern void kgraft_needs_new_member/);
  expect(without).not.toContain("return s->added");
  expect(without).toContain("{ return s->old; } /* s->added */\n#define ADDED(s) ((s)->added)");
  expect(
    withoutBodies(
      header,
      new Map([
        ["absent", ["struct s"]],
        ["added", ["struct other"]],
      ]),
    ),
  ).toBe(header);
});
