// SPDX-License-Identifier: GPL-2.0-or-later
/* What kgr status, patches and blocking print, read from the same files by as little code as that takes. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char patches[] = "/sys/kernel/livepatch";

/* First byte of a file below a folder; 0 where there is none. */
static char first_byte(int folder, const char *path)
{
	char byte = 0;
	int fd = openat(folder, path, O_RDONLY);

	if (fd < 0)
		return 0;
	if (read(fd, &byte, 1) != 1)
		byte = 0;
	close(fd);
	return byte;
}

/* Calls a function for each name in a folder that does not begin with a dot. */
static void each(const char *path, void (*call)(int folder, const char *name))
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			call(dirfd(folder), entry->d_name);
	closedir(folder);
}

static int in_transition;
static char unmoved;

static void look(int folder, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/transition", name);
	if (first_byte(folder, path) != '1')
		return;
	in_transition = 1;
	snprintf(path, sizeof(path), "%s/enabled", name);
	unmoved = first_byte(folder, path) == '1' ? '0' : '1';
}

static void list(int folder, const char *name)
{
	puts(name);
}

static int found;

static void look_thread(int folder, const char *tid)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/patch_state", tid);
	if (first_byte(folder, path) == unmoved)
		found = 1;
}

static void look_process(int folder, const char *pid)
{
	char path[300];

	if (!isdigit((unsigned char)pid[0]))
		return;
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	found = 0;
	each(path, look_thread);
	if (found)
		puts(pid);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "patches")) {
		each(patches, list);
		return 0;
	}
	each(patches, look);
	if (!strcmp(command, "status"))
		puts(in_transition ? "in_progress" : "ready");
	else if (in_transition)
		each("/proc", look_process);
	return 0;
}
