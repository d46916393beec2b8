import { describe, expect, test } from "vitest";
import { width } from "./format.ts";
import { amountText, endLine, progressLine, type StageState } from "./progress-line.ts";

const download: StageState = {
  title: "Downloading packages",
  unit: "bytes",
  elapsedMs: 4000,
  done: 400_000_000,
  total: 800_000_000,
  message: "linux-image-6.1.0-55-cloud-amd64-dbg_6.1.192-1_amd64.deb",
};

describe.each([10, 20, 40, 80, 200])("progressLine() at %d columns", (columns) => {
  const line = progressLine(download, columns);

  test("fits", () => expect(width(line)).toBeLessThanOrEqual(columns));

  test("shows what there is room for, the most telling first", () => {
    expect({
      share: line.includes("50%"),
      bar: line.includes("━"),
      remaining: line.includes("4.0 s left"),
      amount: line.includes("400 MB of 800 MB"),
      rate: line.includes("100 MB/s"),
      file: line.includes(".deb"),
    }).toEqual({
      share: columns >= 40,
      bar: columns >= 80,
      remaining: columns >= 40,
      amount: columns >= 80,
      rate: columns >= 200,
      file: columns >= 200,
    });
  });
});

test("progressLine() counts things as things", () => {
  const line = progressLine({ title: "Compiling", unit: "items", elapsedMs: 100, done: 3, total: 9 }, 80);
  expect(line).toContain("3 of 9");
  expect(line).not.toContain("B");
});

test("progressLine() counts only this run's bytes for its rate", () => {
  const resumed = progressLine({ ...download, doneAtStart: 300_000_000 }, 200);
  expect(resumed).toContain("25 MB/s");
  expect(resumed).toContain("16.0 s left");
});

test("progressLine() never shows more than all, or less than nothing", () => {
  expect(progressLine({ ...download, done: 900_000_000 }, 80)).toContain("100%");
  expect(progressLine({ ...download, total: 0 }, 80)).not.toContain("%");
});

test.each([10, 40, 80, 200])("endLine() fits %d columns", (columns) => {
  const [text, time] = endLine(
    "Downloading packages",
    "a detail that is rather long ".repeat(4),
    "12.3 s",
    columns,
  );
  expect(width(text + time)).toBeLessThanOrEqual(columns);
  expect(text).toMatch(/^Down/);
});

test("amountText() tells a plain line how far it is", () => {
  expect(amountText(download)).toMatch(/^: 400 MB of 800 MB, 100 MB\/s, 4\.0 s left, linux-image/);
  expect(amountText({ title: "x", unit: "bytes", elapsedMs: 1 })).toBe(": still at it");
});
