import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, asyncProperty, integer } from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { readTar } from "./tar.ts";

const directory = mkdtempSync(join(tmpdir(), "kgraft-tar-"));
afterAll(() => rmSync(directory, { recursive: true }));

const longName = `${"deep/".repeat(30)}${"n".repeat(90)}.c`;
mkdirSync(join(directory, "t", longName, ".."), { recursive: true });
writeFileSync(join(directory, "t", longName), "long");
writeFileSync(join(directory, "t/empty.c"), "");
writeFileSync(join(directory, "t/large.c"), Buffer.alloc(100_000, "k"));
symlinkSync("empty.c", join(directory, "t/link.c"));

function archive(format: string): Buffer {
  const args = ["-c", "--sort=name", `--format=${format}`, "-C", directory, "t"];
  return execFileSync("tar", args, { maxBuffer: 10_000_000 });
}

async function* inPieces(bytes: Buffer, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

async function readAll(bytes: Buffer, pieceBytes: number): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { path, kind, content } of readTar(inPieces(bytes, pieceBytes), "test.tar")) {
    if (kind !== "other") found.set(path, kind === "link" ? `-> ${content.toString()}` : content.toString());
  }
  return found;
}

describe("readTar()", () => {
  test.each(["gnu", "pax", "posix"])("reads what tar writes in format %s", async (format) => {
    const found = await readAll(archive(format), 10_000);
    expect(found.get(`t/${longName}`)).toBe("long");
    expect(found.get("t/empty.c")).toBe("");
    expect(found.get("t/large.c")).toBe("k".repeat(100_000));
    expect(found.get("t/link.c")).toBe("-> empty.c");
  });

  test("gives the same however the stream is cut", async () => {
    const bytes = archive("gnu");
    const whole = await readAll(bytes, bytes.length);
    await assert(
      asyncProperty(integer({ min: 1, max: 5000 }), async (pieceBytes) => {
        expect(await readAll(bytes, pieceBytes)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  test.each([
    ["a cut-off stream", (bytes: Buffer) => bytes.subarray(0, 3000)],
    ["an end without end mark", (bytes: Buffer) => bytes.subarray(0, 512)],
    ["a changed header", (bytes: Buffer) => bytes.fill(0x41, 3, 5)],
    ["no tar at all", () => Buffer.alloc(2048, "x")],
  ])("refuses %s", async (_, spoil) => {
    await expect(readAll(spoil(archive("gnu")), 512)).rejects.toMatchObject({ name: "BadInput" });
  });
});
