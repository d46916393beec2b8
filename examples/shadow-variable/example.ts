/** A structure grown by a shadow variable: how often a loop device's attribute was read. */
import type { Example } from "../example.ts";

const path = "drivers/block/loop.c";

export const example: Example = {
  patches: {
    count_reads: [
      {
        path,
        find: "#include <uapi/linux/loop.h>",
        replace: `#include <uapi/linux/loop.h>
#include <linux/kgraft.h>

struct loop_device;

/* Would be a member of struct loop_device; but there are loop devices already, and they do not grow. */
#define READS KGRAFT_ID('l', 'o', 'o', 'p')

static int count_read(struct loop_device *lo)
{
	int *reads = klp_shadow_get_or_alloc(lo, READS, sizeof(*reads), GFP_KERNEL, NULL, NULL);

	return reads ? ++*reads : 0;
}

/* Nothing reads them any more when the patch is reverted. */
static void forget_reads(struct klp_object *obj)
{
	klp_shadow_free_all(READS, NULL);
}
KGRAFT_POST_UNPATCH(forget_reads);`,
      },
      {
        path,
        find: 'return sysfs_emit(buf, "%s\\n", autoclear ? "1" : "0");',
        replace: 'return sysfs_emit(buf, "%s, read %d times\\n", autoclear ? "1" : "0", count_read(lo));',
      },
      // A device that goes takes its shadow variable along.
      {
        path,
        find: "\tmutex_destroy(&lo->lo_mutex);\n\tkfree(lo);",
        replace: "\tmutex_destroy(&lo->lo_mutex);\n\tklp_shadow_free(lo, READS, NULL);\n\tkfree(lo);",
      },
    ],
  },
  modules: ["loop"],
  scenario: [
    {
      run: "dd if=/dev/zero of=/root/image bs=1k count=64 2>/dev/null; for i in 0 1; do losetup /dev/loop$i /root/image; done",
      prints: "",
    },
    { run: "cat /sys/block/loop0/loop/autoclear", prints: "0" },
    { load: "count_reads" },
    { run: "cat /sys/block/loop0/loop/autoclear", prints: "0, read 1 times" },
    { run: "cat /sys/block/loop0/loop/autoclear", prints: "0, read 2 times" },
    { run: "cat /sys/block/loop1/loop/autoclear", prints: "0, read 1 times" },
    { revert: "count_reads" },
    { run: "cat /sys/block/loop0/loop/autoclear", prints: "0" },
    { load: "count_reads" },
    { run: "cat /sys/block/loop0/loop/autoclear", prints: "0, read 1 times" },
    { revert: "count_reads" },
  ],
};
