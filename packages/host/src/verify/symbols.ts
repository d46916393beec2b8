/**
 * Where functions lie, by /proc/kallsyms:
 *
 *     ffffffff95bf5980 t cmdline_proc_show
 *     ffffffffc0444000 t lp_sleep_task<TAB>[lp_sleep]
 *
 * It lists the kernel's symbols by address and a module's in the order of its symbol table, as the livepatch core
 * counts those of one name. All addresses are 0 for who may not see them (kernel.kptr_restrict). The file has
 * several megabytes, so it is read once for all names.
 */
import { type Address, formatAddress, parseAddress } from "../address.ts";
import type { System } from "../system.ts";
import { readText } from "../text.ts";

const file = "/proc/kallsyms";
const limitBytes = 256 << 20;
/** `ffffffff95bf5980 t ` */
const nameAt = 19;
const addressDigits = 16;
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
  const text = readText(system, file, limitBytes) ?? "";
  let visible = false;
  forEachLine(text, (at, end) => {
    const addresses = byTail.get(text.slice(at + nameAt, end));
    const address = addresses === undefined ? null : parseAddress(text.slice(at, at + addressDigits));
    if (address !== null) {
      addresses?.push(address);
      visible ||= address !== 0n;
    }
  });
  return visible ? table : null;
}

/** The function that an address lies in, such as `ftrace_caller+0x0` or `lp_hook+0x0 [lp_other]`. */
export function describeAddress(system: System, address: Address): string {
  const text = readText(system, file, limitBytes) ?? "";
  const wanted = formatAddress(address);
  let best = "";
  let from = "";
  forEachLine(text, (at, end) => {
    const start = text.slice(at, at + addressDigits);
    if (start <= wanted && start > from && /^ [tTwW] /.test(text.slice(at + addressDigits, at + nameAt))) {
      from = start;
      best = text.slice(at + nameAt, end);
    }
  });
  const [name, object] = best.split("\t");
  const distance = address - (parseAddress(from) ?? 0n);
  return best === "" || distance > farthest
    ? `0x${wanted}`
    : `${name}+0x${distance.toString(16)}${object === undefined ? "" : ` ${object}`}`;
}

/** `OBJECT:NAME`, the key of {@link SymbolTable}. */
export function keyOf({ object, name }: SymbolName): string {
  return `${object}:${name}`;
}

function tailOf({ object, name }: SymbolName): string {
  return object === "vmlinux" ? name : `${name}\t[${object}]`;
}

function forEachLine(text: string, visit: (at: number, end: number) => void): void {
  for (let at = 0; at < text.length;) {
    const next = text.indexOf("\n", at);
    const end = next < 0 ? text.length : next;
    visit(at, end);
    at = end + 1;
  }
}
