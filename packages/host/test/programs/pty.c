/*
 * pty COLUMNS AFTER_MS TEXT COMMAND...: runs a command on a terminal of that width, types a text there after that time
 * (\003 is Ctrl-C), prints what the command has written, and ends as it did.
 */
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24 };
	char buffer[4096];
	int master, status;
	const char *typed;
	long typing_ms;
	pid_t pid;

	if (argc < 5)
		return 64;
	size.ws_col = atoi(argv[1]);
	typing_ms = now_ms() + atol(argv[2]);
	typed = argv[3];
	pid = forkpty(&master, NULL, NULL, &size);
	if (pid < 0)
		return 71;
	if (pid == 0) {
		execvp(argv[4], argv + 4);
		_exit(127);
	}
	for (;;) {
		struct pollfd end = { .fd = master, .events = POLLIN };
		ssize_t count;

		if (*typed != '\0' && now_ms() >= typing_ms) {
			if (write(master, typed, strlen(typed)) != strlen(typed))
				return 74;
			typed = "";
		}
		if (poll(&end, 1, 50) == 0)
			continue;
		count = read(master, buffer, sizeof(buffer));
		if (count <= 0)
			break; /* EIO: the other end is closed */
		fwrite(buffer, 1, count, stdout);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
