import { packageNames, updateIndex } from "../src/apt.ts";

const { signal } = new AbortController();

/** The newest cloud kernel with a debug package that a suite carries. */
export async function newestRelease(suite: string): Promise<string> {
  const names = await packageNames(
    await updateIndex(suite, "amd64", { onProgress: () => {}, signal }),
    "linux-image-",
    signal,
  );
  const releases = names.flatMap((name) => /^linux-image-(\d.*-cloud-amd64)-dbg$/.exec(name)?.[1] ?? []);
  const collator = new Intl.Collator("en", { numeric: true });
  return releases.toSorted((a, b) => collator.compare(a, b)).at(-1)!;
}
