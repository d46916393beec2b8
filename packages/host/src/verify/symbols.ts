/**
 * Where functions lie, by /proc/kallsyms:
 *
 *     ffffffff95bf5980 t cmdline_proc_show
 *     ffffffffc0444000 t lp_sleep_task<TAB>[lp_sleep]
 *
 * It lists the kernel's symbols by address and a module's in the order of its symbol table, as the livepatch core
 * counts those of one name. All addresses are 0 for who may not see them (kernel.kptr_restrict).
 *
 * The file has 160,000 lines, seven megabytes on 6.12, and to make strings of them takes ten times as long as the kernel
 * takes to write it. So it is read once for all names, as bytes; a line becomes text only where its name has the length,
 * the first and the last letter of one that is looked for.
 */
import { type Address, formatAddress, parseAddress } from "../address.ts";
import { type System, SystemError } from "../system.ts";
import { decodeUtf8 } from "../text.ts";

const file = "/proc/kallsyms";
/** `ffffffff95bf5980 t ` */
const nameAt = 19;
const typeAt = 17;
const addressDigits = 16;
const newline = 10;
/** Beyond this an address lies in no function. */
const farthest = 0xff_ffffn;

/** A name as {@link findSymbols} has it: `object` is `vmlinux` for the kernel itself. */
export interface SymbolName {
  readonly object: string;
  readonly name: string;
}

/** Addresses by `OBJECT:NAME`, in the order in which sympos counts. */
export type SymbolTable = ReadonlyMap<string, readonly Address[]>;

/** Looks up names; null where the addresses cannot be seen. */
export function findSymbols(system: System, wanted: readonly SymbolName[]): SymbolTable | null {
  const table = new Map<string, Address[]>(wanted.map((name) => [keyOf(name), []]));
  const byTail = new Map(wanted.map((name) => [tailOf(name), table.get(keyOf(name))!])); // set above
  const shapes = new Uint8Array(1 << shapeBits);
  for (const tail of byTail.keys()) {
    shapes[shapeOf(tail.length, tail.charCodeAt(0), tail.charCodeAt(tail.length - 1))] = 1;
  }
  let visible = false;
  forEachLine(system, (bytes, at, end) => {
    if (shapes[shapeOf(end - at - nameAt, bytes[at + nameAt]!, bytes[end - 1]!)] === 0) {
      return; // both are within the line
    }
    const addresses = byTail.get(decodeUtf8(bytes.subarray(at + nameAt, end)));
    const address =
      addresses === undefined ? null : parseAddress(decodeUtf8(bytes.subarray(at, at + addressDigits)));
    if (address !== null) {
      addresses?.push(address);
      visible ||= address !== 0n;
    }
  });
  return visible ? table : null;
}

const shapeBits = 16;

/** A number for the length and two letters of a name; others may have the same. */
function shapeOf(length: number, first: number, last: number): number {
  return (length ^ (first << 5) ^ (last << 9)) & ((1 << shapeBits) - 1);
}

/** The function that an address lies in, such as `ftrace_caller+0x0` or `lp_hook+0x0 [lp_other]`. */
export function describeAddress(system: System, address: Address): string {
  const text = formatAddress(address);
  const wanted = Uint8Array.from(text, (digit) => digit.charCodeAt(0));
  let best = new Uint8Array();
  forEachLine(system, (bytes, at, end) => {
    if (
      "tTwW".includes(String.fromCharCode(bytes[at + typeAt]!)) &&
      compareDigits(bytes, at, wanted) <= 0 &&
      (best.length === 0 || compareDigits(bytes, at, best) > 0)
    ) {
      best = bytes.slice(at, end);
    }
  });
  const start = parseAddress(decodeUtf8(best.subarray(0, addressDigits)));
  const distance = address - (start ?? 0n);
  if (start === null || distance > farthest) {
    return `0x${text}`;
  }
  const [name, object] = decodeUtf8(best.subarray(nameAt)).split("\t");
  return `${name}+0x${distance.toString(16)}${object === undefined ? "" : ` ${object}`}`;
}

/** Negative, 0 or positive, as the address at that place is before, at or behind the other. */
function compareDigits(bytes: Uint8Array, at: number, other: Uint8Array): number {
  for (let digit = 0; digit < addressDigits; digit++) {
    const difference = bytes[at + digit]! - other[digit]!; // a line has all of them
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/** `OBJECT:NAME`, the key of {@link SymbolTable}. */
export function keyOf({ object, name }: SymbolName): string {
  return `${object}:${name}`;
}

function tailOf({ object, name }: SymbolName): string {
  return object === "vmlinux" ? name : `${name}\t[${object}]`;
}

/** Visits each line that has a name; none where the file cannot be read. */
function forEachLine(system: System, visit: (piece: Uint8Array, at: number, end: number) => void): void {
  try {
    system.readPieces(file, (piece) => {
      let at = 0;
      for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, at)) {
        if (end > at + nameAt) {
          visit(piece, at, end);
        }
        at = end + 1;
      }
      return at;
    });
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
  }
}
