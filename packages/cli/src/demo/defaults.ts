/** The real case that the demonstration shows, unless told of another. */
import type { Manifest } from "@kgraft/contract";

export interface DemoCase {
  readonly release: string;
  /** Package versions: the one of that release, and the one that repairs it. */
  readonly from: string;
  readonly to: string;
  readonly suite?: string;
}

export const debianCase: DemoCase = {
  release: "6.1.0-55-cloud-amd64",
  from: "6.1.192-1",
  to: "6.1.192-2",
};

/** What the fix repairs, where that is known: it has no CVE number. */
export function fixesOf({ from, to }: DemoCase): Manifest["fixes"] {
  return from === debianCase.from && to === debianCase.to
    ? [{ id: "Debian#1154101", title: "ext4: null pointer dereference in ext4_mb_load_buddy_gfp()" }]
    : [];
}
