/**
 * Lists of BTF types by number, in `.BTF_ids`. The object has zeros there; which type a place is for stands in the name
 * of a symbol (`__BTF_ID__func__migrate_enable__80415393`), and resolve_btfids writes the numbers into vmlinux or the
 * module. A live patch reaches a list of the running kernel by the list's own label; it cannot bring one.
 * Source: include/linux/btf_ids.h; tools/bpf/resolve_btfids/main.c.
 */
import type { ObjectSymbol } from "@kgraft/elf";
import type { Part } from "./part.ts";

export const typeIdSection = ".BTF_ids";

/** Which type a symbol asks for: `func__migrate_enable`, without the number that makes each such name another. */
export function typeIdOf({ name }: Pick<ObjectSymbol, "name">): string | undefined {
  return /^__BTF_ID__(.*?)(?:__\d+)?$/.exec(name)?.[1];
}

/** Which types a list asks for, each with its place. */
export function typeIds({ section, start, symbols }: Part): string {
  if (section.name !== typeIdSection) return "";
  return symbols.map((symbol) => `${symbol.value - start} ${typeIdOf(symbol) ?? ""}`).join("\n");
}
