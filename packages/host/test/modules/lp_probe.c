// SPDX-License-Identifier: GPL-2.0
/* A kprobe with a post-handler: it needs the instruction pointer for itself, as a live patch does. */
#include <linux/kprobes.h>
#include <linux/module.h>

static void lp_probe_after(struct kprobe *probe, struct pt_regs *registers, unsigned long flags)
{
}

static struct kprobe probe = { .symbol_name = "cmdline_proc_show", .post_handler = lp_probe_after };

static int __init lp_probe_init(void)
{
	return register_kprobe(&probe);
}

static void __exit lp_probe_exit(void)
{
	unregister_kprobe(&probe);
}
module_init(lp_probe_init);
module_exit(lp_probe_exit);
MODULE_LICENSE("GPL");
