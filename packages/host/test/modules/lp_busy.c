// SPDX-License-Identifier: GPL-2.0
/* A place to sleep in: whoever reads /proc/lp_busy sleeps, deaf to signals, until someone writes to it. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(queue);
static bool released;

noinline void lp_busy_sleep(void)
{
	wait_event(queue, READ_ONCE(released));
}

static ssize_t lp_busy_read(struct file *file, char __user *buffer, size_t size, loff_t *at)
{
	lp_busy_sleep();
	return 0;
}

static ssize_t lp_busy_write(struct file *file, const char __user *buffer, size_t size, loff_t *at)
{
	WRITE_ONCE(released, true);
	wake_up_all(&queue);
	return size;
}

static const struct proc_ops operations = { .proc_read = lp_busy_read, .proc_write = lp_busy_write };

static int __init lp_busy_init(void)
{
	return proc_create("lp_busy", 0600, NULL, &operations) ? 0 : -ENOMEM;
}

static void __exit lp_busy_exit(void)
{
	remove_proc_entry("lp_busy", NULL);
}
module_init(lp_busy_init);
module_exit(lp_busy_exit);
MODULE_LICENSE("GPL");
