// SPDX-License-Identifier: GPL-2.0
/*
 * Two functions that belong together: /proc/lp_pair shows what each of them says, and whoever reads it sleeps a moment
 * between the two. Its reader must be told by both as they were or by both as they are: never by one of each.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

__attribute__((__noipa__)) char lp_pair_first(void)
{
	return 'o';
}

__attribute__((__noipa__)) char lp_pair_second(void)
{
	return 'o';
}

__attribute__((__noipa__)) int lp_pair_show(struct seq_file *m, void *v)
{
	seq_putc(m, lp_pair_first());
	usleep_range(100, 1000);
	seq_putc(m, lp_pair_second());
	return 0;
}

static int __init lp_pair_init(void)
{
	return proc_create_single("lp_pair", 0444, NULL, lp_pair_show) ? 0 : -ENOMEM;
}

static void __exit lp_pair_exit(void)
{
	remove_proc_entry("lp_pair", NULL);
}
module_init(lp_pair_init);
module_exit(lp_pair_exit);
MODULE_LICENSE("GPL");
