// SPDX-License-Identifier: GPL-2.0
/*
 * Sleepers that signals reach. Whoever reads /proc/lp_sleep sleeps in lp_sleep_task() until someone writes to it or
 * a signal comes; with thread=1 the kernel thread lp_sleeper sits in lp_sleep_thread() in the same way, and, as
 * many do, goes back to sleep when it is woken for nothing.
 */
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/wait.h>

static bool thread;
module_param(thread, bool, 0400);

static DECLARE_WAIT_QUEUE_HEAD(queue);
static bool released;
static struct task_struct *sleeper;

noinline int lp_sleep_task(void)
{
	return wait_event_interruptible(queue, READ_ONCE(released));
}

noinline void lp_sleep_thread(void)
{
	while (wait_event_interruptible(queue, READ_ONCE(released) || kthread_should_stop()))
		;
}

static int lp_sleep_run(void *unused)
{
	lp_sleep_thread();
	wait_event_interruptible(queue, kthread_should_stop());
	return 0;
}

static ssize_t lp_sleep_read(struct file *file, char __user *buffer, size_t size, loff_t *at)
{
	return lp_sleep_task();
}

static ssize_t lp_sleep_write(struct file *file, const char __user *buffer, size_t size, loff_t *at)
{
	WRITE_ONCE(released, true);
	wake_up_all(&queue);
	return size;
}

static const struct proc_ops operations = { .proc_read = lp_sleep_read, .proc_write = lp_sleep_write };

static int __init lp_sleep_init(void)
{
	if (!proc_create("lp_sleep", 0600, NULL, &operations))
		return -ENOMEM;
	if (thread)
		sleeper = kthread_run(lp_sleep_run, NULL, "lp_sleeper");
	return 0;
}

static void __exit lp_sleep_exit(void)
{
	if (!IS_ERR_OR_NULL(sleeper))
		kthread_stop(sleeper);
	remove_proc_entry("lp_sleep", NULL);
}
module_init(lp_sleep_init);
module_exit(lp_sleep_exit);
MODULE_LICENSE("GPL");
