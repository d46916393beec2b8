import { expect, test, vi } from "vitest";
import { makeBoard } from "./board.ts";
import { buildTitles, follow, kernelTitles, planTitles } from "./stages.ts";
import { makeStyle } from "./style.ts";

function linesOf(
  titles: typeof kernelTitles,
  events: readonly Parameters<ReturnType<typeof follow>["onProgress"]>[0][],
): readonly string[] {
  let text = "";
  const stream = { write: (part: string): void => void (text += part) };
  const progress = follow(makeBoard(stream, stream, makeStyle(false)), titles);
  for (const event of events) progress.onProgress(event);
  progress.done();
  return text
    .replaceAll(/\d+ ms/g, "0 ms")
    .trim()
    .split("\n");
}

test("follow() ends a stage when the next begins", () => {
  expect(
    linesOf(kernelTitles, [
      { stage: "index", message: "package index of bookworm" },
      { stage: "download", doneBytes: 1, totalBytes: 2_000_000, message: "a.deb" },
      { stage: "download", doneBytes: 2_000_000, totalBytes: 2_000_000, message: "b.deb" },
      { stage: "unpack", message: "source and image" },
    ]),
  ).toEqual([
    "Reading the package index ...",
    "Reading the package index: 0 ms",
    "Downloading packages ...",
    "Downloading packages: 2.0 MB, 0 ms",
    "Unpacking ...",
    "Unpacking: source and image, 0 ms",
  ]);
});

test.each([
  [1, "Compiling before and after: a.c, 0 ms"],
  [3, "Compiling before and after: 3, 0 ms"],
])("follow() names the unit where it is one, and counts several: %d", (total, line) => {
  expect(
    linesOf(buildTitles, [{ stage: "compile", doneBytes: total, totalBytes: total, message: "a.c" }])[1],
  ).toBe(line);
});

test("follow() shows rate and remaining time of a plan that goes on where it was", () => {
  vi.useFakeTimers();
  try {
    let text = "";
    const stream = { isTTY: true, columns: 160, write: (part: string): void => void (text += part) };
    const { onProgress } = follow(makeBoard(stream, stream, makeStyle(false)), planTitles);
    const tell = (doneBytes: number, reusedBytes: number): void =>
      onProgress({ stage: "units", doneBytes, totalBytes: 637, reusedBytes, message: "fs/inode.c" });
    tell(0, 0);
    vi.advanceTimersByTime(1000);
    for (let done = 1; done <= 400; done++) tell(done, done);
    vi.advanceTimersByTime(1000);
    text = "";
    tell(401, 400);
    vi.advanceTimersByTime(100);
    expect(text).toContain("401 of 637  0.5/s  8 min 16 s left");
    tell(410, 400);
    vi.advanceTimersByTime(2900);
    text = "";
    vi.advanceTimersByTime(100);
    expect(text).toMatch(/ {2}64% {2}410 of 637 {2}2\.0\/s {2}1 min 5\d s left {2}fs\/inode\.c/);
  } finally {
    vi.useRealTimers();
  }
});

test("follow() shows a stage that it has no words for", () => {
  expect(linesOf({}, [{ stage: "novel", message: "x" }])).toEqual(["novel ...", "novel: x, 0 ms"]);
});
