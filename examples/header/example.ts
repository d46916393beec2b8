/** A header changes: every unit that reads it is compared, and only those whose code changes go into the patch. */
import type { Edit, Example } from "../example.ts";

const whole = "cut -d. -f1 /proc/loadavg";

/** Changed code needs a new member of a structure that exists already, in memory, without it. */
const grown: readonly Edit[] = [
  {
    path: "fs/ext4/mballoc.h",
    find: "struct ext4_prealloc_space {",
    replace: "struct ext4_prealloc_space {\n\tlong pa_new;",
  },
  {
    path: "fs/ext4/mballoc.c",
    find: "\tpa->pa_deleted = 1;",
    replace: "\tpa->pa_deleted = 1;\n\tpa->pa_new = 1;",
  },
];

export const example: Example = {
  patches: {
    raised_load: [
      {
        path: "include/linux/sched/loadavg.h",
        find: "#define LOAD_INT(x) ((x) >> FSHIFT)",
        replace: "#define LOAD_INT(x) (((x) >> FSHIFT) + 100)",
      },
    ],
  },
  refused: { grown_structure: { edits: grown, because: /struct ext4_prealloc_space/ } },
  scenario: [
    { run: whole, prints: "0" },
    { load: "raised_load" },
    { run: whole, prints: "100" },
    { revert: "raised_load" },
    { run: whole, prints: "0" },
  ],
};
