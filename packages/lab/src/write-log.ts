/**
 * What a guest wrote to its disk, write by write, so that a power cut can be played at each of them: QEMU's
 * blklogwrites notes them in the format of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/
 * log-writes.rst; QEMU's block/blklogwrites.c). Sectors of 512 bytes: the first is the superblock, then for each entry
 * one with its header (sector, number of sectors, flags, length of the data that follow in it), then what was written.
 *
 * Between two writes nothing changes that survives a power cut. So the disk after each entry is every disk that a cut
 * can leave, as far as the drive writes in order; what it may lose until the next flush is dropped by `lose`.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

const sectorBytes = 512;
const flag = { flush: 1, fua: 2, discard: 4 } as const;

/** One request of the guest to its disk. */
export type DiskRequest =
  | { readonly kind: "flush" }
  | { readonly kind: "discard"; readonly offset: number; readonly sizeBytes: number }
  | {
      readonly kind: "write";
      readonly offset: number;
      readonly sizeBytes: number;
      /** Where its content stands in the log. */
      readonly at: number;
      /** On the disk when it was answered, whatever the drive may lose. */
      readonly durable: boolean;
    };

/** All requests in a log, oldest first. @throws Error where it is no such log */
export function readWriteLog(path: string): readonly DiskRequest[] {
  const log = openSync(path, "r");
  try {
    const sizeBytes = fstatSync(log).size;
    const header = Buffer.alloc(32);
    const requests: DiskRequest[] = [];
    for (let at = sectorBytes; at + sectorBytes <= sizeBytes;) {
      readSync(log, header, 0, header.length, at);
      const [sector, sectors, flags] = [0, 8, 16].map((field) => Number(header.readBigUInt64LE(field)));
      const offset = sector! * sectorBytes; // three fields
      const length = sectors! * sectorBytes;
      at += sectorBytes;
      if ((flags! & flag.discard) !== 0) {
        requests.push({ kind: "discard", offset, sizeBytes: length });
      } else if (length > 0) {
        requests.push({ kind: "write", offset, sizeBytes: length, at, durable: (flags! & flag.fua) !== 0 });
        at += length;
      } else if ((flags! & flag.flush) !== 0) {
        requests.push({ kind: "flush" });
      }
    }
    return requests;
  } finally {
    closeSync(log);
  }
}

/**
 * Plays the first requests of a log onto a disk as it was before them.
 *
 * @param count how many
 * @param lose whether the drive loses a write that it has not been told to flush since
 */
export function playWriteLog(
  path: string,
  requests: readonly DiskRequest[],
  disk: number,
  count: number,
  lose: (index: number) => boolean = () => false,
): void {
  const log = openSync(path, "r");
  try {
    const flushed = requests.slice(0, count).findLastIndex(({ kind }) => kind === "flush");
    for (const [index, request] of requests.slice(0, count).entries()) {
      if (request.kind === "write" && (index < flushed || request.durable || !lose(index))) {
        const bytes = Buffer.alloc(request.sizeBytes);
        readSync(log, bytes, 0, bytes.length, request.at);
        writeSync(disk, bytes, 0, bytes.length, request.offset);
      }
    }
  } finally {
    closeSync(log);
  }
}
