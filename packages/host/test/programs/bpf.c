/*
 * A BPF program on a function of the kernel, which counts how often it is called:
 *
 *     bpf kprobe FUNCTION    by a kprobe
 *     bpf fentry FUNCTION    by a trampoline, which is called from the function's traced entry itself
 *
 * Says `ready`, at SIGUSR1 `calls COUNT`, and runs until SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static char *read_whole(const char *path, size_t most)
{
	char *content = malloc(most);
	int file = open(path, O_RDONLY);
	size_t size = 0;
	ssize_t count;

	if (!content || file < 0)
		fail(path);
	while ((count = read(file, content + size, most - size - 1)) > 0)
		size += count;
	content[size] = '\0';
	close(file);
	return content;
}

/* What follows a type of each kind in BTF, in bytes: Documentation/bpf/btf.rst, "Type Encoding". */
static unsigned size_behind(unsigned kind, unsigned length)
{
	switch (kind) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return 12;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return 12 * length;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return 8 * length;
	default:
		return 0;
	}
}

static unsigned function_id(const char *name)
{
	const char *btf = read_whole("/sys/kernel/btf/vmlinux", 32 << 20);
	const struct btf_header *header = (const void *)btf;
	const char *at = btf + header->hdr_len + header->type_off;
	const char *end = at + header->type_len;
	const char *strings = btf + header->hdr_len + header->str_off;

	for (unsigned id = 1; at < end; id++) {
		const struct btf_type *type = (const void *)at;
		unsigned kind = BTF_INFO_KIND(type->info);

		if (kind == BTF_KIND_FUNC && !strcmp(strings + type->name_off, name))
			return id;
		at += sizeof(*type) + size_behind(kind, BTF_INFO_VLEN(type->info));
	}
	errno = ENOENT;
	fail(name);
	return 0;
}

static int make_counter(void)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1,
	};
	int map = bpf(BPF_MAP_CREATE, &attributes);

	if (map < 0)
		fail("BPF_MAP_CREATE");
	return map;
}

static int make_program(int map, const char *function)
{
	static char log[65536];
	/* r0 = bpf_map_lookup_elem(map, &zero); if (r0) *r0 += 1, at once; return 0 */
	struct bpf_insn code[] = {
		{ .code = BPF_ST | BPF_W | BPF_MEM, .dst_reg = 10, .off = -4, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ .code = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .imm = 0, .off = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1 },
		{ .code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = 0, .src_reg = 1, .imm = BPF_ADD },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes = {
		.prog_type = function ? BPF_PROG_TYPE_TRACING : BPF_PROG_TYPE_KPROBE,
		.insns = (__u64)code,
		.insn_cnt = sizeof(code) / sizeof(*code),
		.license = (__u64)"GPL",
		.log_buf = (__u64)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int program;

	if (function) {
		attributes.expected_attach_type = BPF_TRACE_FENTRY;
		attributes.attach_btf_id = function_id(function);
	}
	program = bpf(BPF_PROG_LOAD, &attributes);
	if (program < 0) {
		fputs(log, stderr);
		fail("BPF_PROG_LOAD");
	}
	return program;
}

static void attach_kprobe(int program, const char *function)
{
	struct perf_event_attr event = {
		.type = atoi(read_whole("/sys/bus/event_source/devices/kprobe/type", 64)),
		.size = sizeof(event),
		.config1 = (__u64)function,
	};
	int file = syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (file < 0 || ioctl(file, PERF_EVENT_IOC_SET_BPF, program) || ioctl(file, PERF_EVENT_IOC_ENABLE, 0))
		fail("kprobe");
}

static void attach_trampoline(int program)
{
	union bpf_attr attributes = { .raw_tracepoint = { .prog_fd = program } };

	if (bpf(BPF_RAW_TRACEPOINT_OPEN, &attributes) < 0)
		fail("BPF_RAW_TRACEPOINT_OPEN");
}

static void tell(int map)
{
	__u32 key = 0;
	__u64 count = 0;
	union bpf_attr attributes = { .map_fd = map, .key = (__u64)&key, .value = (__u64)&count };

	if (bpf(BPF_MAP_LOOKUP_ELEM, &attributes))
		fail("BPF_MAP_LOOKUP_ELEM");
	printf("calls %llu\n", (unsigned long long)count);
	fflush(stdout);
}

int main(int count, char **words)
{
	sigset_t waited;
	int number, map;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGUSR1);
	sigprocmask(SIG_BLOCK, &waited, NULL);
	if (count != 3 || (strcmp(words[1], "kprobe") && strcmp(words[1], "fentry"))) {
		fputs("see the beginning of bpf.c\n", stderr);
		return 2;
	}
	map = make_counter();
	if (!strcmp(words[1], "kprobe"))
		attach_kprobe(make_program(map, NULL), words[2]);
	else
		attach_trampoline(make_program(map, words[2]));
	puts("ready");
	fflush(stdout);
	while (!sigwait(&waited, &number) && number == SIGUSR1)
		tell(map);
	return 0;
}
