// SPDX-License-Identifier: GPL-2.0
/* Replaces both functions of lp_pair.c, and the one that calls them: who is between the two blocks the transition. */
#include <linux/delay.h>
#include <linux/seq_file.h>
#include "live_patch.h"

static char live_lp_pair_first(void)
{
	return 'n';
}

static char live_lp_pair_second(void)
{
	return 'n';
}

static int live_lp_pair_show(struct seq_file *m, void *v)
{
	seq_putc(m, live_lp_pair_first());
	usleep_range(100, 1000);
	seq_putc(m, live_lp_pair_second());
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "lp_pair_first", .new_func = live_lp_pair_first },
	{ .old_name = "lp_pair_second", .new_func = live_lp_pair_second },
	{ .old_name = "lp_pair_show", .new_func = live_lp_pair_show },
	{}
};
static struct klp_object objs[] = { { .name = "lp_pair", .funcs = funcs }, {} };

module_live_patch(objs);
