/** A state that a cumulative patch hands over to the one that replaces it: a counter goes on counting. */
import type { Edit, Example } from "../example.ts";

const path = "fs/proc/cmdline.c";

/** Version 1 allocates the counter; whoever replaces it takes the counter over, and the last one frees it. */
const version = (number: number, says: string): Edit[] => [
  {
    path,
    find: "#include <linux/seq_file.h>",
    replace: `#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/kgraft.h>

#define COUNTER KGRAFT_ID('c', 'n', 't', '1')
KGRAFT_STATE(COUNTER, ${number});

static atomic_t *counter;

static int take_counter(struct klp_object *obj)
{
	struct klp_state *before = klp_get_prev_state(COUNTER);

	counter = before ? before->data : kzalloc(sizeof(*counter), GFP_KERNEL);
	klp_get_state(&kgraft_patch, COUNTER)->data = counter;
	return counter ? 0 : -ENOMEM;
}
KGRAFT_PRE_PATCH(take_counter);

/* Only of a patch that goes for good: one that is replaced hands its counter over. */
static void free_counter(struct klp_object *obj)
{
	kfree(counter);
}
KGRAFT_POST_UNPATCH(free_counter);`,
  },
  {
    path,
    find: "seq_putc(m, '\\n');",
    replace: `seq_printf(m, " ${says}\\n", atomic_inc_return(counter));`,
  },
];

const read = "grep -o 'seen.*' /proc/cmdline || true";

export const example: Example = {
  patches: {
    counting_1: version(1, "seen=%d"),
    counting_2: version(2, "seen %d times"),
  },
  scenario: [
    { run: read, prints: "" },
    { load: "counting_1" },
    { run: read, prints: "seen=1" },
    { run: read, prints: "seen=2" },
    { load: "counting_2" },
    { run: "ls /sys/kernel/livepatch; rmmod counting_1", prints: "counting_2" },
    { run: read, prints: "seen 3 times" },
    // The kernel takes no patch that knows less of the state than the one in force.
    { run: "insmod /root/counting_1.ko 2>&1 | grep -o 'Invalid argument'", prints: "Invalid argument" },
    { run: read, prints: "seen 4 times" },
    { revert: "counting_2" },
    { run: read, prints: "" },
  ],
};
