// SPDX-License-Identifier: GPL-2.0
/*
 * Undoes a redirection behind ftrace's back, as a rootkit or a stray write would: at `address`, a function's start,
 * it writes a nop over the call, or with `elsewhere` a call to a function of its own that returns at once. Put back
 * when it is removed.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/string.h>

static unsigned long address;
module_param(address, ulong, 0400);
static bool elsewhere;
module_param(elsewhere, bool, 0400);

static u8 before[5];

noinline void lp_undo_nobody(void)
{
	asm volatile("");
}

/* Kernel text is mapped read-only; without the processor's write protection that does not matter. */
static void write_text(const u8 *bytes)
{
	unsigned long flags, cr0;

	local_irq_save(flags);
	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~0x10000ul) : "memory");
	memcpy((void *)address, bytes, sizeof(before));
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	local_irq_restore(flags);
}

static int __init lp_undo_init(void)
{
	u8 bytes[5] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	s32 distance = (unsigned long)lp_undo_nobody - (address + sizeof(bytes));

	memcpy(before, (void *)address, sizeof(before));
	if (elsewhere) {
		bytes[0] = 0xe8;
		memcpy(bytes + 1, &distance, sizeof(distance));
	}
	write_text(bytes);
	return 0;
}

static void __exit lp_undo_exit(void)
{
	write_text(before);
}
module_init(lp_undo_init);
module_exit(lp_undo_exit);
MODULE_LICENSE("GPL");
