// SPDX-License-Identifier: GPL-2.0
/* Replaces what /proc/cmdline prints: as the kernel's own samples/livepatch/livepatch-sample.c does. */
#include <linux/seq_file.h>
#include "live_patch.h"

static int live_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "this has been live patched\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = live_cmdline_proc_show }, {}
};
static struct klp_object objs[] = { { .funcs = funcs }, {} };

module_live_patch(objs);
