import { expect, test } from "vitest";
import { keepStructures, newMembers, withoutBodies } from "./structures.ts";

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

test("newMembers() names what only the patched structures have", () => {
  const original = header.replace(", added", "");
  expect(newMembers(original, header)).toEqual(new Set(["added"]));
  expect(newMembers(header, header)).toEqual(new Set());
});

test("withoutBodies() takes the bodies of functions that touch such a member, and no line", () => {
  const without = withoutBodies(header, new Set(["added"]));
  expect(without.split("\n")).toHaveLength(header.split("\n").length);
  expect(without).toMatch(/get\(struct s \*s\)\n\{ extern void kgraft_needs_new_member/);
  expect(without).not.toContain("return s->added");
  expect(without).toContain("{ return s->old; } /* s->added */\n#define ADDED(s) ((s)->added)");
  expect(withoutBodies(header, new Set(["absent"]))).toBe(header);
});
