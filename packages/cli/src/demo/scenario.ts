/**
 * What happens in the guests, as commands of the guest's shell.
 *
 * The fault: Debian's 6.1.192-1 looks up the buddy bitmap of an ext4 block group in the page cache and takes
 * "not there" (a null pointer) for a page. So: write, have the caches dropped, write again; the kernel then
 * dereferences the null pointer in the worker that writes back. (Debian bug 1154101, repaired in 6.1.192-2.)
 */

export const mountCommand = "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt";

/** Ends within seconds on a sound kernel. `sync` does not return on the faulty one: the worker is dead. */
export const reproducer: readonly string[] = [
  "dd if=/dev/urandom of=/mnt/first bs=1k count=100",
  "sync",
  "echo 3 > /proc/sys/vm/drop_caches",
  "dd if=/dev/urandom of=/mnt/second bs=1k count=100",
  "sync",
];

/**
 * The reproducer so many times over. On a quiet file system the faulty kernel crashes in the first round; while
 * others use it, the bitmap may be back in the cache before it is looked up, and it takes up to three.
 */
export function rounds(number: number): string {
  return `for round in $(seq ${number}); do ${reproducer.join(" && ")} || exit 1; done 2>/dev/null`;
}

export const roundsUnderLoad = 5;
export const quietRounds = 3;

/** Files of which we know what they must hold, whatever happens around them. */
export const knownFiles = 12;
export const writeKnownFiles: string = [
  "mkdir /mnt/known && cd /mnt/known || exit 1",
  `for i in $(seq ${knownFiles}); do dd if=/dev/urandom of=file$i bs=4k count=$((i * 8)) 2>/dev/null || exit 1; done`,
  "sha256sum file* > /root/known.sha256 && sync",
].join("\n");

/** Read back from the disk, not from memory: mounted anew with empty caches. */
export const verifyKnownFiles: string = [
  "sync && umount /mnt && echo 3 > /proc/sys/vm/drop_caches && mount -t ext4 /dev/vda /mnt || exit 1",
  "cd /mnt/known && sha256sum -c /root/known.sha256 | grep -c ': OK$'",
].join("\n");

const stopFile = "/run/stop-load";
export const stopLoad: string = `touch ${stopFile}`;

/** Writes a file, copies it, compares the two, and begins anew; prints how often at its end. Status 1: they differed. */
export function writer(index: number): string {
  return [
    `mkdir -p /mnt/w${index} && cd /mnt/w${index} || exit 1`,
    "n=0",
    `while [ ! -e ${stopFile} ]; do`,
    "  dd if=/dev/urandom of=new bs=4k count=16 2>/dev/null && cp new copy && cmp new copy || exit 1",
    "  mv copy old && rm new && n=$((n + 1))",
    "done",
    "echo $n",
  ].join("\n");
}

/** Reads the known files over and over and compares them with what they must hold. */
export const reader: string = [
  "cd /mnt/known && n=0 || exit 1",
  `while [ ! -e ${stopFile} ]; do`,
  "  sha256sum -c -s /root/known.sha256 || exit 1",
  "  n=$((n + 1))",
  "done",
  "echo $n",
].join("\n");

/**
 * Stays in the kernel for a second at a time, and is not easily pushed aside. A task cannot be moved while it runs there, and this one is
 * what a transition has to wait for on a busy machine.
 */
export const longCalls: string = [
  "renice -n -5 -p $$",
  `while [ ! -e ${stopFile} ]; do`,
  "  dd if=/dev/urandom of=/dev/null bs=64M count=1 2>/dev/null || exit 1",
  "done",
].join("\n");

export const kernelLog = "dmesg | grep livepatch:";

/** The unmounted disk as text: most of it is empty, so it packs to a few megabytes. */
export const packDisk = "umount /mnt && gzip -1 -c /dev/vda | base64";

/** Functions that ftrace redirects; live patches are the only user here. */
export const enabledFunctions = "cat /sys/kernel/tracing/enabled_functions";
