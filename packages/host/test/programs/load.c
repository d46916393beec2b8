/*
 * What keeps a guest busy while it is patched:
 *
 *     load read THREADS FILE   threads that read a small file again and again. SIGUSR1: tell what was read since the
 *                              last time, `TEXT COUNT` each and how often a thread's text changed at most
 *     load sleep THREADS       threads that sleep, after the word `ready`
 *     load hold MIB            takes memory and holds it until no more than so much is available; `ready`
 *     load fork PROCESSES      processes whose children end at once; at the end, how many there were
 *
 * Each runs until SIGTERM.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { most_texts = 8, text_size = 64, most_processes = 64 };

static atomic_bool stop;
static const char *path;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void start(int threads, void *(*body)(void *))
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 * 1024);
	while (threads-- > 0)
		if (pthread_create(&thread, &attributes, body, NULL))
			fail("pthread_create");
}

/* Texts that were read, by order of their first appearance; all under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char texts[most_texts][text_size];
static unsigned long counts[most_texts];
static unsigned most_changes;
static unsigned period;

static int note(const char text[static text_size])
{
	for (int at = 0; at < most_texts; at++) {
		if (texts[at][0] == '\0')
			memcpy(texts[at], text, text_size);
		if (!strcmp(texts[at], text)) {
			counts[at]++;
			return at;
		}
	}
	fprintf(stderr, "too many texts: %s\n", text);
	exit(1);
}

static void *read_again(void *unused)
{
	unsigned changes = 0, in_period = 0;
	int last = -1;

	while (!stop) {
		char text[text_size] = "";
		int file = open(path, O_RDONLY);

		if (file < 0 || read(file, text, sizeof(text) - 1) < 1)
			fail(path);
		close(file);
		text[strcspn(text, "\n")] = '\0';
		pthread_mutex_lock(&lock);
		if (in_period != period) {
			in_period = period;
			changes = 0;
		}
		int now = note(text);
		changes += last >= 0 && now != last;
		last = now;
		if (changes > most_changes)
			most_changes = changes;
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

static void tell(void)
{
	pthread_mutex_lock(&lock);
	for (int at = 0; at < most_texts; at++)
		if (counts[at])
			printf("%s %lu\n", texts[at], counts[at]);
	printf("changes %u\n", most_changes);
	fflush(stdout);
	memset(counts, 0, sizeof(counts));
	most_changes = 0;
	period++;
	pthread_mutex_unlock(&lock);
}

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static long available_mib(void)
{
	char line[128];
	long kib = -1;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	if (!file || kib < 0)
		fail("/proc/meminfo");
	fclose(file);
	return kib / 1024;
}

static void hold(long leave_mib)
{
	const size_t piece = 1 << 20;

	while (available_mib() > leave_mib) {
		char *memory = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			fail("mmap");
		memset(memory, 1, piece);
	}
}

/* The leader counts what each of the others tells through the pipe. */
static void fork_again(int processes, const sigset_t *waited)
{
	pid_t pids[most_processes];
	int ends[2], number;
	unsigned long total = 0, made;

	if (processes > most_processes || pipe(ends))
		fail("pipe");
	for (int at = 0; at < processes; at++) {
		pids[at] = fork();
		if (pids[at] > 0)
			continue;
		struct timespec now = { 0, 0 };
		for (made = 0; sigtimedwait(waited, NULL, &now) < 0; made++) {
			pid_t child = fork();
			if (child == 0)
				_exit(0);
			if (child < 0 || waitpid(child, NULL, 0) != child)
				fail("fork");
		}
		_exit(write(ends[1], &made, sizeof(made)) != sizeof(made));
	}
	puts("ready");
	fflush(stdout);
	sigwait(waited, &number);
	for (int at = 0; at < processes; at++)
		kill(pids[at], SIGTERM);
	for (int at = 0; at < processes; at++) {
		if (read(ends[0], &made, sizeof(made)) != sizeof(made))
			fail("read");
		total += made;
	}
	printf("forks %lu\n", total);
}

int main(int count, char **words)
{
	sigset_t waited;
	int number;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGUSR1);
	sigprocmask(SIG_BLOCK, &waited, NULL);
	if (count == 4 && !strcmp(words[1], "read")) {
		path = words[3];
		start(atoi(words[2]), read_again);
	} else if (count == 3 && !strcmp(words[1], "sleep")) {
		start(atoi(words[2]), sleep_on);
		puts("ready");
	} else if (count == 3 && !strcmp(words[1], "hold")) {
		hold(atol(words[2]));
		puts("ready");
	} else if (count == 3 && !strcmp(words[1], "fork")) {
		fork_again(atoi(words[2]), &waited);
		return 0;
	} else {
		fputs("see the beginning of load.c\n", stderr);
		return 2;
	}
	fflush(stdout);
	while (!sigwait(&waited, &number) && number == SIGUSR1)
		tell();
	stop = true;
	return 0;
}
