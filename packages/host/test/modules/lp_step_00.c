// SPDX-License-Identifier: GPL-2.0
/*
 * One of a row of live patches: /proc/cmdline shows its name. The tests write more of them from this one's file, in
 * which its name is put in place of 00. Built as lp_whole_00 too, a cumulative patch, which replaces all before it.
 */
#include <linux/seq_file.h>
#include "live_patch.h"

#ifndef CUMULATIVE
#define CUMULATIVE false
#endif

static int live_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%s\n", THIS_MODULE->name);
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = live_cmdline_proc_show }, {}
};
static struct klp_object objs[] = { { .funcs = funcs }, {} };

module_live_patch(objs, .replace = CUMULATIVE);
