// SPDX-License-Identifier: GPL-2.0-or-later
/* So many sleeping processes, which share one memory so that they cost little of it: tasks COUNT. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { stack_bytes = 4096 };

static _Noreturn int sleep_for_good(void *unused)
{
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;
	char *stacks = mmap(NULL, (size_t)(count + 1) * stack_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int at = 0; at < count; at++) {
		char *top = stacks + (size_t)(at + 1) * stack_bytes;

		if (clone(sleep_for_good, top, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, NULL) < 0) {
			perror("clone");
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	sleep_for_good(NULL);
}
