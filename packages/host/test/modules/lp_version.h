/* SPDX-License-Identifier: GPL-2.0 */
/* A cumulative patch: it takes the place of all before it, and /proc/version says which it is. */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int live_version_proc_show(struct seq_file *m, void *v)
{
	seq_puts(m, "live patch " VERSION "\n");
	return 0;
}

static struct klp_func funcs[] = {
	{ .old_name = "version_proc_show", .new_func = live_version_proc_show }, {}
};
static struct klp_object objs[] = { { .funcs = funcs }, {} };
static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objs, .replace = true };

static int __init lp_init(void)
{
	return klp_enable_patch(&patch);
}
static void __exit lp_exit(void)
{
}
module_init(lp_init);
module_exit(lp_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
