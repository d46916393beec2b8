/** Initialised data fixed by a callback when the patch is applied, and put back when it is reverted. */
import type { Example } from "../example.ts";

const read = "cat /proc/sys/vm/overcommit_ratio";

export const example: Example = {
  patches: {
    lower_ratio: [
      {
        path: "mm/util.c",
        find: "int sysctl_overcommit_ratio __read_mostly = 50;",
        replace: `int sysctl_overcommit_ratio __read_mostly = 50;

/*
 * The fix would be another initial value, 40. The variable has been initialised long ago and an administrator may
 * have set it: so it is changed only where it still has the old value, and what it was is put back.
 */
#include <linux/kgraft.h>

static bool lowered;

static void lower_ratio(struct klp_object *obj)
{
	if (sysctl_overcommit_ratio == 50) {
		sysctl_overcommit_ratio = 40;
		lowered = true;
	}
}
KGRAFT_POST_PATCH(lower_ratio);

static void restore_ratio(struct klp_object *obj)
{
	if (lowered && sysctl_overcommit_ratio == 40)
		sysctl_overcommit_ratio = 50;
}
KGRAFT_POST_UNPATCH(restore_ratio);
`,
      },
    ],
  },
  scenario: [
    { run: read, prints: "50" },
    { load: "lower_ratio" },
    { run: read, prints: "40" },
    { revert: "lower_ratio" },
    { run: read, prints: "50" },
    // What an administrator has set stays.
    { run: "echo 60 >/proc/sys/vm/overcommit_ratio", prints: "" },
    { load: "lower_ratio" },
    { run: read, prints: "60" },
    { revert: "lower_ratio" },
    { run: read, prints: "60" },
  ],
};
