import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { quoteShell } from "./run-in-guest.ts";

test.each(["plain", "two words", "it's", "'", '$HOME `id` \\ "', "a\nb", "*", ""])(
  "quoteShell() %j stays one word of the same text",
  (text) => {
    const printed = execFileSync("sh", ["-c", `printf '<%s>' ${quoteShell(text)}`]);
    expect(printed.toString()).toBe(`<${text}>`);
  },
);
