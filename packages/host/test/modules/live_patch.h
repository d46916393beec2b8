/* SPDX-License-Identifier: GPL-2.0 */
/* module_live_patch(objs, more members of struct klp_patch): a module that enables its live patch as it is inserted. */
#include <linux/livepatch.h>
#include <linux/module.h>

#define module_live_patch(objects, ...)					\
	static struct klp_patch patch = {				\
		.mod = THIS_MODULE, .objs = objects, ##__VA_ARGS__	\
	};								\
	static int __init lp_init(void)					\
	{								\
		return klp_enable_patch(&patch);			\
	}								\
	static void __exit lp_exit(void)				\
	{								\
	}								\
	module_init(lp_init);						\
	module_exit(lp_exit);						\
	MODULE_LICENSE("GPL");						\
	MODULE_INFO(livepatch, "Y")
