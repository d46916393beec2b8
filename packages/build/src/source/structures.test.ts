import { expect, test } from "vitest";
import { keepStructures } from "./structures.ts";

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
