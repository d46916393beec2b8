/*
 * What the kernel does to the code of a live patch when it loads it, by the tables that come with it: each function looks
 * at its own code. Goes before special.c.
 */
#include <linux/kallsyms.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/paravirt.h>

/*
 * Whether the function at this place has these bytes, the first one lowest. They are given inverted: the function that asks
 * has what it asks for in its own code.
 */
static noinline bool holds(unsigned long place, u32 inverted, u32 mask)
{
	unsigned long size, offset, at;

	if (!kallsyms_lookup_size_offset(place, &size, &offset))
		return false;
	for (at = place - offset; at + sizeof(u32) <= place - offset + size; at++)
		if (((*(const u32 *)at ^ ~inverted) & mask) == 0)
			return true;
	return false;
}

/* Whether the function at this place calls that one. */
static noinline bool calls(unsigned long place, unsigned long function)
{
	unsigned long size, offset, at;

	if (!kallsyms_lookup_size_offset(place, &size, &offset))
		return false;
	for (at = place - offset; at + 5 <= place - offset + size; at++)
		if (*(const u8 *)at == 0xe8 && at + 5 + *(const s32 *)(at + 1) == function)
			return true;
	return false;
}

/* .parainstructions, since 6.8 .altinstructions: a call through a pointer becomes a plain one. */
static noinline void show_paravirt(struct seq_file *m)
{
	unsigned long protection = read_cr0() & 1;
	bool pointer = holds(_THIS_IP_, ~0x15ff, 0xffff) || holds(_THIS_IP_, ~0x2514ff, 0xffffff);

	seq_printf(m, "paravirt: %lu, %s\n", protection, pointer ? "by pointer" : "plain");
}

/* .retpoline_sites: without the mitigation a call through a register, with none of the thunk. */
static noinline int twice(int n)
{
	return n * 2;
}
static int (*way)(int) = twice;
static noinline void show_retpoline(struct seq_file *m)
{
	int n = READ_ONCE(way)(21);

	seq_printf(m, "retpoline: %d, %s\n", n, holds(_THIS_IP_, ~0xd0ff, 0xf8ff) ? "by register" : "by thunk");
}

/* .return_sites: without the mitigation a return, and breakpoints where the jump to the thunk was. */
static noinline const char *way_back(void)
{
	return holds(_THIS_IP_, ~0xccccccc3, 0xffffffff) ? "plain" : "by thunk";
}
static noinline void show_return(struct seq_file *m)
{
	seq_printf(m, "return: %s\n", way_back());
}

/* .ibt_endbr_seal: what is only called, and could be called from afar, is no target of indirect branches any more. */
int kgraft_sealed(struct seq_file *m);
noinline int kgraft_sealed(struct seq_file *m)
{
	unsigned long size, offset, here = _THIS_IP_;

	if (!kallsyms_lookup_size_offset(here, &size, &offset))
		return 0;
	return *(const u32 *)(here - offset) != 0xfa1e0ff3;
}
static noinline void show_seal(struct seq_file *m)
{
	bool open = *(const u32 *)READ_ONCE(way) == 0xfa1e0ff3;

	seq_printf(m, "seal: %s, %s\n", kgraft_sealed(m) ? "sealed" : "open", open ? "open" : "sealed");
}

/* .noinstr.text: code that nothing may trace. */
static noinstr int quiet(int n)
{
	return n * 7;
}
static noinline void show_quiet(struct seq_file *m)
{
	seq_printf(m, "noinstr: %d\n", quiet(READ_ONCE(way)(3)));
}

/* __ex_table: a way out of a fault in the live patch's own code, and one that says the error in a register. */
static noinline void show_exception(struct seq_file *m)
{
	const char *nowhere = (const char *)0xffffffffffffe000;
	int error = 0;
	char byte;
	long nofault = get_kernel_nofault(byte, nowhere);

	asm volatile("1: movl (%1), %0\n2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %0)
		     : "+r"(error) : "r"(nowhere));
	seq_printf(m, "exception: %ld %d\n", nofault, error);
}

static void show_rewritten(struct seq_file *m)
{
	show_paravirt(m);
	show_retpoline(m);
	show_return(m);
	show_seal(m);
	show_quiet(m);
	show_exception(m);
}
