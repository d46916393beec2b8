// SPDX-License-Identifier: GPL-2.0
/* Replaces the two functions of lp_sleep.c in which tasks sleep: who calls the new ones returns at once. */
#include "live_patch.h"

static int live_lp_sleep_task(void)
{
	return 0;
}

static void live_lp_sleep_thread(void)
{
}

static struct klp_func funcs[] = {
	{ .old_name = "lp_sleep_task", .new_func = live_lp_sleep_task },
	{ .old_name = "lp_sleep_thread", .new_func = live_lp_sleep_thread },
	{}
};
static struct klp_object objs[] = { { .name = "lp_sleep", .funcs = funcs }, {} };

module_live_patch(objs);
