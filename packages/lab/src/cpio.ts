/**
 * The archive a kernel unpacks into its first file system.
 *
 * The kernel wants the "new ASCII" cpio format: per entry a header of 14 fields (magic, then thirteen numbers as
 * eight hex digits), the name, and the contents, name and contents each padded to four bytes; an entry called
 * TRAILER!!! ends it. Owner, time and inode numbers are fixed, so that the same files give the same bytes.
 *
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst of the Linux kernel.
 */

export type CpioEntry =
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly contents: Uint8Array }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | {
      readonly kind: "device";
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const typeBits = { directory: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const;

function contentsOf(entry: CpioEntry): Uint8Array {
  switch (entry.kind) {
    case "file":
      return entry.contents;
    case "link":
      return Buffer.from(entry.target);
    case "directory":
    case "device":
      return new Uint8Array();
  }
}

function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((4 - (sizeBytes % 4)) % 4);
}

function record(
  name: string,
  inode: number,
  mode: number,
  contents: Uint8Array,
  device: readonly number[],
): Uint8Array[] {
  const path = Buffer.from(`${name}\0`);
  const [major = 0, minor = 0] = device;
  const numbers = [inode, mode, 0, 0, 1, 0, contents.length, 0, 0, major, minor, path.length, 0];
  const header = Buffer.from(`070701${numbers.map((n) => n.toString(16).padStart(8, "0")).join("")}`);
  return [header, path, padding(header.length + path.length), contents, padding(contents.length)];
}

/** The same entries, each after the directories above it that were not named before. */
function withParents(entries: readonly CpioEntry[]): readonly CpioEntry[] {
  const known = new Set<string>();
  return entries.flatMap((entry) => {
    const parts = entry.path.split("/");
    const parents = parts.slice(0, -1).map((_, depth) => parts.slice(0, depth + 1).join("/"));
    const missing = parents.filter((path) => !known.has(path));
    for (const path of [...missing, entry.path]) known.add(path);
    return [...missing.map((path): CpioEntry => ({ kind: "directory", path, mode: 0o755 })), entry];
  });
}

/**
 * One cpio archive of these entries, directories above them included.
 *
 * @param entries paths are relative to the root, without a leading slash; a later entry replaces an earlier one
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const chunks = withParents(entries).flatMap((entry, index) => {
    const mode = typeBits[entry.kind] | (entry.kind === "link" ? 0o777 : entry.mode);
    const device = entry.kind === "device" ? [entry.major, entry.minor] : [];
    return record(entry.path, index + 1, mode, contentsOf(entry), device);
  });
  return Buffer.concat([...chunks, ...record("TRAILER!!!", 0, 0, new Uint8Array(), [])]);
}
