/* SPDX-License-Identifier: GPL-2.0 */
/* A cumulative patch: it takes the place of all before it, and /proc/version says which it is. */
#include <linux/seq_file.h>
#include "live_patch.h"

static int live_version_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "live patch " VERSION "\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "version_proc_show", .new_func = live_version_proc_show }, {}
};
static struct klp_object objs[] = { { .funcs = funcs }, {} };

module_live_patch(objs, .replace = true);
