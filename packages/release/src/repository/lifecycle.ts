/**
 * Until when live patches are made for each kernel of a channel. The ledger keeps it, because it is signed, and two files
 * tell it: the lasting word is the publisher's, and the files are drawn from it like everything else that others read.
 */
import { isDeepStrictEqual } from "node:util";
import type { Lifecycle } from "@kgraft/contract";
import { dayOfSeconds } from "../lifecycle/days.ts";
import { lifecycleFiles } from "../lifecycle/files.ts";
import { promise } from "../lifecycle/promise.ts";
import type { Ledger, RepositorySettings } from "./ledger.ts";
import type { NewPackage } from "./new-packages.ts";
import type { Store } from "./store.ts";

/** What is promised with this publication. @param time seconds since 1970 @throws BadPackageInput */
export function lifecycleAfter(
  before: Lifecycle | undefined,
  news: readonly NewPackage[],
  { lifecycle: policy }: RepositorySettings,
  time: number,
): Lifecycle {
  const on = dayOfSeconds(time);
  const releases = new Set(news.flatMap(({ manifest }) => manifest?.kernel.release ?? []));
  return promise(
    before ?? null,
    [...releases].map((release) => ({ release, on })),
    policy,
  );
}

/** Writes the files anew, where they say something else now or were not written to the end. */
export async function writeLifecycle(
  store: Store,
  { channel, lifecycle }: Ledger,
  before: Lifecycle | undefined,
): Promise<void> {
  if (before !== undefined && isDeepStrictEqual(before, lifecycle)) return;
  for (const [path, text] of filesOf(channel, lifecycle)) await store.writePointer(path, Buffer.from(text));
}

/** The files by their paths. */
export function filesOf(
  channel: string,
  lifecycle: Lifecycle,
): readonly (readonly [path: string, text: string])[] {
  return Object.entries(lifecycleFiles(lifecycle)).map(([name, text]) => [
    `lifecycle/${channel}/${name}`,
    text,
  ]);
}
