// SPDX-License-Identifier: GPL-2.0
/* Replaces what lp_demo.c replaces once more, and two functions of a module that may not be loaded. */
#include <linux/seq_file.h>
#include "live_patch.h"

static int live_cmdline_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "this has been live patched twice\n");
	return 0;
}

static int live_lp_sleep_task(void)
{
	return 0;
}

static void live_lp_sleep_thread(void)
{
}

static struct klp_func funcs[] = {
	{ .old_name = "cmdline_proc_show", .new_func = live_cmdline_proc_show }, {}
};
static struct klp_func sleep_funcs[] = {
	{ .old_name = "lp_sleep_task", .new_func = live_lp_sleep_task },
	{ .old_name = "lp_sleep_thread", .new_func = live_lp_sleep_thread },
	{}
};
static struct klp_object objs[] = { { .funcs = funcs }, { .name = "lp_sleep", .funcs = sleep_funcs }, {} };

module_live_patch(objs);
