/**
 * One change, three generations of kernels: Debian 12's, Debian 13's and sid's, each compiled by its own suite's
 * compiler. Fetches about 1.1 GB when the last two are missing.
 */
import { newestRelease } from "../../packages/kernel/test/newest-release.ts";
import type { Example } from "../example.ts";

const later = ["trixie", "sid"];

export const example: Example = {
  kernels: [
    { release: "6.1.0-55-cloud-amd64" },
    ...(await Promise.all(later.map(async (suite) => ({ suite, release: await newestRelease(suite) })))),
  ],
  patches: {
    marked_cmdline: [
      {
        path: "fs/proc/cmdline.c",
        find: "seq_putc(m, '\\n');",
        replace: 'seq_puts(m, " patched\\n");',
      },
    ],
  },
  scenario: [
    { run: "cat /proc/cmdline", prints: /(?<! patched)$/ },
    { load: "marked_cmdline" },
    { run: "cat /proc/cmdline", prints: / patched$/ },
    { revert: "marked_cmdline" },
    { run: "cat /proc/cmdline", prints: /(?<! patched)$/ },
  ],
};
