/**
 * The kernel's memory, as /proc/kcore shows it to root: an ELF core file whose program headers say which addresses
 * lie where in the file (fs/proc/kcore.c; System V ABI, chapter 5). The file is as large as the address space, so
 * only what is asked for is read. Under lockdown "confidentiality" nobody may open it.
 */
import type { Address } from "../address.ts";
import { SystemError, type System } from "../system.ts";

const file = "/proc/kcore";
const elfHeaderBytes = 64;
const programHeaderBytes = 56;
/** A machine has a segment for each piece of its physical memory, and some more. */
const mostSegments = 4096;
const longestTableAt = 1 << 20;
const PT_LOAD = 1;

/** Why the memory cannot be read. */
export class MemoryError extends Error {
  override readonly name = "MemoryError";
}

export interface KernelMemory {
  /** e_machine: which processor's code this is. */
  readonly machine: number;
  /** Bytes from an address on; null where the file has none. */
  read(address: Address, lengthBytes: number): Uint8Array | null;
}

interface Segment {
  readonly address: Address;
  readonly offset: bigint;
  readonly sizeBytes: bigint;
}

/** @throws MemoryError */
export function openMemory(system: System): KernelMemory {
  const header = viewOf(readExactly(system, 0, elfHeaderBytes));
  const found = [header.getUint32(0), header.getUint8(4), header.getUint8(5), header.getUint16(54, true)];
  if (found.join() !== [0x7f454c46, 2, 1, programHeaderBytes].join()) {
    throw new MemoryError(`cannot read ${file}: it is no ELF core file of 64 bits`);
  }
  const at = Number(header.getBigUint64(32, true));
  const count = header.getUint16(56, true);
  if (count > mostSegments || at > longestTableAt) {
    throw new MemoryError(
      `cannot read ${file}: ${count} program headers at ${at}, wanted ${mostSegments} at most`,
    );
  }
  const segments = readSegments(readExactly(system, at, count * programHeaderBytes), count);
  return {
    machine: header.getUint16(18, true),
    read: (address, lengthBytes) => readAt(system, segments, address, lengthBytes),
  };
}

function readSegments(table: Uint8Array, count: number): readonly Segment[] {
  const view = viewOf(table);
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * programHeaderBytes;
    if (view.getUint32(at, true) === PT_LOAD) {
      segments.push({
        offset: view.getBigInt64(at + 8, true),
        address: view.getBigInt64(at + 16, true),
        sizeBytes: view.getBigInt64(at + 32, true),
      });
    }
  }
  return segments;
}

function readAt(
  system: System,
  segments: readonly Segment[],
  address: Address,
  lengthBytes: number,
): Uint8Array | null {
  for (const segment of segments) {
    const inside = address - segment.address;
    if (inside >= 0n && inside <= segment.sizeBytes - BigInt(lengthBytes)) {
      const offset = segment.offset + inside;
      return offset >= 0n && offset <= BigInt(Number.MAX_SAFE_INTEGER)
        ? tryRead(system, Number(offset), lengthBytes)
        : null;
    }
  }
  return null;
}

function tryRead(system: System, offset: number, lengthBytes: number): Uint8Array | null {
  try {
    return readExactly(system, offset, lengthBytes);
  } catch (error) {
    if (error instanceof MemoryError) {
      return null;
    }
    throw error;
  }
}

/** @throws MemoryError where there are fewer, or none can be read */
function readExactly(system: System, offset: number, lengthBytes: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = system.readBytesAt(file, offset, lengthBytes);
  } catch (cause) {
    if (cause instanceof SystemError) {
      throw new MemoryError(cause.message, { cause });
    }
    throw cause;
  }
  if (bytes.length !== lengthBytes) {
    throw new MemoryError(`cannot read ${file}: ${bytes.length} bytes at ${offset}, wanted ${lengthBytes}`);
  }
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
