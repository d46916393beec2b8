import { expect, test } from "vitest";
import { play } from "../../../examples/example.ts";
import { example as generations } from "../../../examples/generations/example.ts";
import { describeLivePatches } from "./live-patch.ts";

describeLivePatches("trixie");
describeLivePatches("sid");

test("the example of three generations plays on each", async () => {
  const lines: string[] = [];
  await play(generations, (line) => lines.push(line));
  expect(lines.filter((line) => line.startsWith("== "))).toHaveLength(3);
});
