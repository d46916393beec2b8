import { expect, test } from "vitest";
import { makeBoard } from "./board.ts";
import { buildTitles, follow, kernelTitles } from "./stages.ts";
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

test("follow() shows a stage that it has no words for", () => {
  expect(linesOf({}, [{ stage: "novel", message: "x" }])).toEqual(["novel ...", "novel: x, 0 ms"]);
});
