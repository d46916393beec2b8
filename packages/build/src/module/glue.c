// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What every live patch has in common: it enables itself when it is loaded. Everything else is data, which the
 * builder lays out by the kernel's own type information and joins to this object. Compiled once for each kernel.
 */
#define INCLUDE_VERMAGIC
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/vermagic.h>

/* Defined by the builder: objects and functions of this patch. */
extern struct klp_patch kgraft_patch;

static int __init kgraft_init(void)
{
	return klp_enable_patch(&kgraft_patch);
}

/* The kernel removes a live patch only after it was disabled; then nothing is left to do. */
static void __exit kgraft_exit(void)
{
}

module_init(kgraft_init);
module_exit(kgraft_exit);

/* What modpost writes into NAME.mod.c; the builder puts in the name. */
__visible struct module __this_module __section(".gnu.linkonce.this_module") = {
	.init = init_module,
	.exit = cleanup_module,
	.arch = MODULE_ARCH_INIT,
};

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("kernel live patch made by kgraft");
MODULE_INFO(livepatch, "Y");
MODULE_INFO(vermagic, VERMAGIC_STRING);
/* Renamed by commit aefb2f2e619b ("x86/bugs: Rename CONFIG_RETPOLINE => CONFIG_MITIGATION_RETPOLINE") (in v6.9). */
#if defined(CONFIG_RETPOLINE) || defined(CONFIG_MITIGATION_RETPOLINE)
MODULE_INFO(retpoline, "Y");
#endif
