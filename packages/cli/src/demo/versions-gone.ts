/** A mirror drops old versions. The demonstration then says what it carries and how to show another case. */
import { UnknownRelease, VersionNotCarried } from "@kgraft/kernel";
import { VersionsGone } from "../errors.ts";
import type { DemoCase } from "./defaults.ts";

/** @throws VersionsGone in place of what the kernel room says about a single package */
export async function explainGone<T>({ release, from, to }: DemoCase, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnknownRelease) && !(error instanceof VersionNotCarried)) throw error;
    const carried = error instanceof UnknownRelease ? error.near : error.carried;
    throw new VersionsGone(
      `the mirror no longer carries what this shows: ${release}, ${from} and ${to}; ${error.message}`,
      [
        `it carries: ${carried.join(", ") || "nothing of that name"}`,
        "show another case with: kgraft demo --release RELEASE --from VERSION --to VERSION",
      ].join("\n"),
      { cause: error },
    );
  }
}
