// SPDX-License-Identifier: GPL-2.0
/* Replaces the function of lp_busy.c in which tasks sleep: such a task blocks the transition. */
#include <linux/wait_bit.h>
#include "live_patch.h"

static bool sleeps;

static int set_sleeps(const char *value, const struct kernel_param *parameter)
{
	int error = param_set_bool(value, parameter);

	wake_up_var(&sleeps);
	return error;
}
static const struct kernel_param_ops sleeps_ops = { .set = set_sleeps, .get = param_get_bool };
module_param_cb(sleeps, &sleeps_ops, &sleeps, 0600);
MODULE_PARM_DESC(sleeps, "the new function sleeps until this is cleared");

static void live_lp_busy_sleep(void)
{
	wait_var_event(&sleeps, !READ_ONCE(sleeps));
}

static struct klp_func funcs[] = {
	{ .old_name = "lp_busy_sleep", .new_func = live_lp_busy_sleep }, {}
};
static struct klp_object objs[] = { { .name = "lp_busy", .funcs = funcs }, {} };

module_live_patch(objs);
