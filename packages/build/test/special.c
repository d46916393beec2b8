/*
 * What version_proc_show() becomes in special.test.ts, together with rewritten.c: one function for each special section of
 * the kernel, new in the live patch, with an outcome that can be read from /proc/version.
 */
#include <linux/bug.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/static_call.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <trace/events/sched.h>

extern struct static_key_false sched_schedstats;

/* __ex_table: the kernel finds the way out of a fault. The address is page zero. */
static noinline void show_fault(struct seq_file *m)
{
	char byte = 0, bytes[64];

	seq_printf(m, "fault: %d %lu\n", get_user(byte, (char __user *)8),
		   copy_from_user(bytes, (void __user *)8, sizeof(bytes)));
}

/* __bug_table: the warning names this file and line, and the function goes on. */
static noinline void show_warning(struct seq_file *m)
{
	WARN(m->count >= 0, "a warning of the live patch\n");
	seq_puts(m, "warning: went on\n");
}

/* __jump_table: a key of vmlinux, and one of the live patch. */
static DEFINE_STATIC_KEY_FALSE(own_key);
static noinline void show_branch(struct seq_file *m)
{
	seq_printf(m, "branch: vmlinux %s",
		   static_branch_unlikely(&sched_schedstats) ? "on" : "off");
	seq_printf(m, ", own %s", static_branch_unlikely(&own_key) ? "on" : "off");
	static_branch_enable(&own_key);
	seq_printf(m, ", then %s", static_branch_unlikely(&own_key) ? "on" : "off");
	static_branch_disable(&own_key);
	seq_putc(m, '\n');
}

/* .static_call_sites: a call of vmlinux's (might_resched), and one of the live patch. */
static noinline int greet_one(void)
{
	return 1;
}
static noinline int greet_two(void)
{
	return 2;
}
DEFINE_STATIC_CALL(kgraft_greet, greet_one);
static noinline void show_call(struct seq_file *m)
{
	int first;

	might_resched();
	first = static_call(kgraft_greet)();
	static_call_update(kgraft_greet, greet_two);
	seq_printf(m, "call: %d then %d", first, static_call(kgraft_greet)());
	seq_printf(m, ", %s\n", calls(_THIS_IP_, (unsigned long)greet_two) ? "plain" : "by trampoline");
	static_call_update(kgraft_greet, greet_one);
}

/* .altinstructions: what the processor can decides at load. Every x86-64 has a time stamp counter and long mode. */
static noinline void show_alternative(struct seq_file *m)
{
	seq_printf(m, "alternative: %s %s %s\n", static_cpu_has(X86_FEATURE_TSC) ? "tsc" : "no tsc",
		   static_cpu_has(X86_FEATURE_LM) ? "lm" : "no lm",
		   static_cpu_has(X86_FEATURE_K6_MTRR) ? "k6" : "no k6");
}

/* .data..percpu: a variable of vmlinux, and one of the live patch. */
static DEFINE_PER_CPU(int, kgraft_shown);
static noinline void show_percpu(struct seq_file *m)
{
	int cpu, all = 0;

	this_cpu_inc(kgraft_shown);
	for_each_possible_cpu(cpu)
		all += per_cpu(kgraft_shown, cpu);
	seq_printf(m, "percpu: %d times, cpu %d, task %s\n", all, raw_smp_processor_id(), current->comm);
}

/* .smp_locks: a locked instruction. */
static atomic_t shown;
static noinline void show_atomic(struct seq_file *m)
{
	seq_printf(m, "atomic: %d\n", atomic_inc_return(&shown));
}

/* .rodata: a table made of a switch (CSWTCH), and a table of strings. */
static noinline const char *word(int n)
{
	switch (n) {
	case 0: return "nought";
	case 1: return "one";
	case 2: return "two";
	case 3: return "three";
	case 4: return "four";
	case 5: return "five";
	default: return "many";
	}
}
static noinline void show_switch(struct seq_file *m)
{
	int n;

	seq_puts(m, "switch:");
	for (n = 0; n < 7; n++)
		seq_printf(m, " %s", word(n));
	seq_putc(m, '\n');
}

/* .cold: what the compiler moved away from the function, and jumps back from. */
static noinline void show_cold(struct seq_file *m)
{
	if (unlikely(m->size > 0)) {
		pr_err("kgraft: the unlikely part has run\n");
		seq_puts(m, "cold: has run\n");
		return;
	}
	seq_puts(m, "cold: has not run\n");
}

/* .data.once, __dyndbg, tracepoints: seen in the log and in the trace. */
static noinline void show_messages(struct seq_file *m)
{
	pr_info_once("kgraft: said once\n");
	pr_debug("kgraft: said when asked for\n");
	trace_sched_kthread_stop_ret(4711);
	seq_puts(m, "messages: said\n");
}

/* runtime_ptr_USER_PTR_MAX: a constant that kernels since 6.12 write into their code at boot. */
static noinline void show_constant(struct seq_file *m)
{
	int user = access_ok((void __user *)0x1000UL, 1);
	int beyond = access_ok((void __user *)0x900000000000UL, 1);

	seq_printf(m, "constant: %d %d\n", user, beyond);
}

static void show_all(struct seq_file *m)
{
	show_fault(m);
	show_warning(m);
	show_branch(m);
	show_call(m);
	show_alternative(m);
	show_percpu(m);
	show_atomic(m);
	show_switch(m);
	show_cold(m);
	show_messages(m);
	show_constant(m);
	show_rewritten(m);
}
