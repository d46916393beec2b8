import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { joinXz } from "./xz-join.ts";

const xz = (data: string | Buffer): Buffer =>
  execFileSync("xz", ["--stdout", "--threads=1"], { input: data });
const unxz = (data: Buffer): string =>
  execFileSync("xz", ["--decompress", "--stdout"], { input: data }).toString();

function outcome(work: () => unknown): string {
  try {
    work();
    return "joined";
  } catch (error) {
    return (error as Error).name;
  }
}

test("joinXz() gives one stream that xz takes apart to all that went in", () => {
  const texts = ["", "a", "Package: x\n\n".repeat(1000), "b".repeat(100_003)];
  const joined = joinXz(texts.filter((text) => text !== "").map(xz));
  expect(unxz(joined)).toBe(texts.join(""));
  // One stream: its header stands at the beginning and nowhere else.
  expect(joined.lastIndexOf(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]))).toBe(0);
});

test("joinXz() of nothing is an empty file", () => {
  expect(unxz(joinXz([]))).toBe("");
});

test("joinXz() of what was joined before", () => {
  expect(unxz(joinXz([joinXz([xz("a"), xz("b")]), xz("c")]))).toBe("abc");
});

test("joinXz() refuses whatever is no stream, and never anything but that", () => {
  const good = xz("something");
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = Buffer.from(good);
      bytes[at] = bytes[at]! ^ flip; // at is under the length
      expect(["joined", "RepositoryUnfit"]).toContain(outcome(() => joinXz([bytes])));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => joinXz([bytes])).toThrow(/cannot join \.xz blocks/);
    }),
  );
});

test("joinXz() refuses streams with another kind of check", () => {
  const other = execFileSync("xz", ["--stdout", "--check=sha256"], { input: "x" });
  expect(() => joinXz([xz("x"), other])).toThrow(/stream flags is 000a, wanted 0004/);
});
