import { describe, expect, test } from "vitest";
import { parseCount, parseDayCount, parseFix, parseSize, parseTimeMs } from "./parameters.ts";

const good: readonly (readonly [(text: string) => unknown, string, unknown])[] = [
  [parseSize, "64M", 64 * 2 ** 20],
  [parseSize, "1G", 2 ** 30],
  [parseSize, "512KiB", 512 * 1024],
  [parseSize, "1000", 1000],
  [parseTimeMs, "90", 90_000],
  [parseTimeMs, "1.5s", 1500],
  [parseTimeMs, "5m", 300_000],
  [parseTimeMs, "250ms", 250],
  [parseCount, "4", 4],
  [parseDayCount, "3650", 3650],
  [parseFix, "CVE-2026-1=ext4: fix a = b", { id: "CVE-2026-1", title: "ext4: fix a = b" }],
  [parseFix, "CVE-2026-1", { id: "CVE-2026-1", title: "" }],
];

const bad: readonly (readonly [(text: string) => unknown, readonly string[]])[] = [
  [parseSize, ["", "0", "-1", "64X", "1.5G", "9999G", "M"]],
  [parseTimeMs, ["", "0", "-5s", "5d", "100h", "soon"]],
  [parseCount, ["", "0", "256", "two", "-1"]],
  [parseDayCount, ["", "0", "3651", "a year"]],
  [parseFix, ["", "=title", "two words=title"]],
];

for (const [parse, text, value] of good) {
  test(`${parse.name}() reads ${text}`, () => expect(parse(text)).toEqual(value));
}

describe.each(bad)("%o refuses", (parse, texts) => {
  test.each(texts)("%j", (text) => expect(() => parse(text)).toThrow(/^wanted /));
});
