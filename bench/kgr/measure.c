// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a command costs: measure [-c] TIMES COMMAND... runs it so often, its output thrown away, and prints the median
 * time in microseconds and the highest resident memory in kB; with -c also how many system calls one more run made in
 * all its processes. The command is followed by ptrace in that one run only, which slows it down.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t start(char **command, int traced)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (traced) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
	}
	execvp(command[0], command);
	_exit(127);
}

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
	long difference = *(const long *)a - *(const long *)b;

	return (difference > 0) - (difference < 0);
}

/* Each system call stops its process twice: where it begins and where it ends. */
static long count_calls(char **command)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	pid_t first = start(command, 1);
	long stops = 0;
	int status;

	waitpid(first, &status, 0);
	ptrace(PTRACE_SETOPTIONS, first, 0, options);
	ptrace(PTRACE_SYSCALL, first, 0, 0);
	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);
		int passed = 0;

		if (pid < 0 && errno == ECHILD)
			return stops / 2;
		if (!WIFSTOPPED(status))
			continue;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			stops++;
		else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
			passed = WSTOPSIG(status);
		ptrace(PTRACE_SYSCALL, pid, 0, passed);
	}
}

int main(int argc, char **argv)
{
	int counted = argc > 1 && !strcmp(argv[1], "-c");

	argc -= counted;
	argv += counted;
	int times = argc > 2 ? atoi(argv[1]) : 0;
	long *us = calloc(times + 1, sizeof(*us));
	long memory_kb = 0;

	if (times < 1)
		return 2;
	for (int run = 0; run < times; run++) {
		struct rusage usage;
		int status;
		long begin = now_us();
		pid_t pid = start(argv + 2, 0);

		wait4(pid, &status, 0, &usage);
		us[run] = now_us() - begin;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
			return 127;
		if (usage.ru_maxrss > memory_kb)
			memory_kb = usage.ru_maxrss;
	}
	qsort(us, times, sizeof(*us), compare);
	printf("%ld %ld", us[times / 2], memory_kb);
	if (counted)
		printf(" %ld", count_calls(argv + 2));
	putchar('\n');
	return 0;
}
