// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The memory image: QuickJS is set up once, while kgr is built, and each run begins with the memory as it was then.
 *
 * To make a runtime, a context and the script's modules took two thirds of the time of `kgr status`, and the result
 * is always the same. So all that this work changes lies in one section of the program: QuickJS's own variables
 * (image.ld), the launcher's, and an arena from which every allocation is made meanwhile. The linked program is run
 * in the build, sets itself up and writes that section to a file, and objcopy puts it in the place of the section that
 * was linked. A program at fixed addresses (no PIE) finds its pointers right where they were, those to functions too.
 *
 * What belongs to a process must not be in the image: time and stack are hidden here while it is made, what else is
 * renewed is in launcher.c. The same inputs give the same image.
 *
 * In a run, small blocks come from here too, after the image: musl's allocator asks the kernel for each of its first
 * pages, which took as long as all the rest. Blocks are kept by size and used again; whatever is larger, or does not
 * fit, is the C library's. One thread only.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include "image.h"

enum { GRAIN = 16, CLASSES = 256, ROOM = 1 << 20, STACK = 2 << 20 };

void *__real_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
size_t __real_malloc_usable_size(void *block);
int __real_gettimeofday(struct timeval *now, void *zone);

extern char image_begin[], image_end[];

/* Bytes behind a header of its own, all sizes such that the bytes are aligned. */
struct block {
	size_t size;
	union {
		char bytes[GRAIN];
		struct block *next; /* while it is free */
	};
};

/* What the arena takes is measured by a first program, linked with much of it; ARENA is that in the second. */
__attribute__((section(".image.arena"), aligned(GRAIN))) static char arena[ARENA];
IN_IMAGE static size_t arena_used = GRAIN - sizeof(size_t), arena_most = 0;
IN_IMAGE static int complete = 0;
IN_IMAGE static struct block *kept[CLASSES] = { 0 };
__attribute__((aligned(GRAIN))) static char room[ROOM];
static size_t room_used = GRAIN - sizeof(size_t);

static int is_ours(const void *bytes)
{
	return (uintptr_t)bytes - (uintptr_t)arena < sizeof(arena) ||
	       (uintptr_t)bytes - (uintptr_t)room < sizeof(room);
}

static struct block *block_of(void *bytes)
{
	return (struct block *)((char *)bytes - offsetof(struct block, bytes));
}

void *__wrap_malloc(size_t wanted)
{
	char *memory = complete ? room : arena;
	size_t *used = complete ? &room_used : &arena_used;
	size_t limit = complete ? sizeof(room) : sizeof(arena);
	size_t size = (wanted + sizeof(size_t) + GRAIN - 1) / GRAIN * GRAIN - sizeof(size_t);
	size_t class = size / GRAIN;
	struct block *block;

	if (wanted > limit)
		return complete ? __real_malloc(wanted) : NULL;
	if (class == 0) {
		size += GRAIN;
		class = 1;
	}
	if (class < CLASSES && kept[class]) {
		block = kept[class];
		kept[class] = block->next;
		return block->bytes;
	}
	if (complete && class >= CLASSES)
		return __real_malloc(wanted);
	if (sizeof(size_t) + size > limit - *used)
		return complete ? __real_malloc(wanted) : NULL;
	block = (struct block *)(memory + *used);
	block->size = size;
	*used += sizeof(size_t) + size;
	if (arena_most < arena_used)
		arena_most = arena_used;
	return block->bytes;
}

/* What is freed while the image is made is wiped: what is not used shall not look used. */
void __wrap_free(void *bytes)
{
	if (!is_ours(bytes)) {
		__real_free(bytes);
		return;
	}
	struct block *block = block_of(bytes);
	size_t class = block->size / GRAIN;

	if (!complete)
		memset(bytes, 0, block->size);
	if (!complete && block->bytes + block->size == arena + arena_used) {
		arena_used -= sizeof(size_t) + block->size;
		block->size = 0;
	} else if (class < CLASSES) {
		block->next = kept[class];
		kept[class] = block;
	}
}

void *__wrap_calloc(size_t count, size_t size)
{
	size_t whole;
	void *bytes = __builtin_mul_overflow(count, size, &whole) ? NULL : __wrap_malloc(whole);

	return bytes ? memset(bytes, 0, whole) : NULL;
}

size_t __wrap_malloc_usable_size(void *bytes)
{
	return is_ours(bytes) ? block_of(bytes)->size : __real_malloc_usable_size(bytes);
}

void *__wrap_realloc(void *bytes, size_t size)
{
	if (!bytes)
		return __wrap_malloc(size);
	if (!is_ours(bytes))
		return __real_realloc(bytes, size);
	size_t old = block_of(bytes)->size;

	if (size <= old)
		return bytes;
	void *larger = __wrap_malloc(size);

	if (larger) {
		memcpy(larger, bytes, old);
		__wrap_free(bytes);
	}
	return larger;
}

/* QuickJS begins its random numbers with the time. */
int __wrap_gettimeofday(struct timeval *now, void *zone)
{
	if (complete)
		return __real_gettimeofday(now, zone);
	*now = (struct timeval){ 0 };
	return 0;
}

int image_is_complete(void)
{
	return complete;
}

int image_write(const char *file)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	FILE *to = fopen(file, "w");

	printf("%zu\n", arena_most);
	complete = 1;
	/* Where the stack was, and a megabyte below it: QuickJS keeps both to see how much is left. */
	for (uintptr_t *word = (uintptr_t *)image_begin; word < (uintptr_t *)image_end; word++)
		if (*word - here + STACK < 2 * STACK)
			*word = 0;
	if (!to || fwrite(image_begin, image_end - image_begin, 1, to) != 1 || fclose(to))
		return 74;
	return 0;
}
