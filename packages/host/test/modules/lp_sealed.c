// SPDX-License-Identifier: GPL-2.0
/* Replaces a function whose address nobody takes: with indirect branch tracking the kernel took its endbr64 away. */
#include <linux/mm_types.h>
#include "live_patch.h"

static bool live_kernel_page_present(struct page *page)
{
	return true;
}

static struct klp_func funcs[] = {
	{ .old_name = "kernel_page_present", .new_func = live_kernel_page_present }, {}
};
static struct klp_object objs[] = { { .funcs = funcs }, {} };

module_live_patch(objs);
