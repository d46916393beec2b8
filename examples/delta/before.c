/* One unit of a kernel, before the change. */
extern int printk(const char *format, ...);

static int served = 100;

static __attribute__((noinline)) int limit(int wanted)
{
	return wanted > 8 ? 8 : wanted;
}

int serve(int wanted)
{
	served += limit(wanted);
	printk("served %d\n", served);
	return served;
}

int ask(int wanted)
{
	return limit(wanted) * 2;
}
