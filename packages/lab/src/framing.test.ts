import { array, assert, integer, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { createFrameReader, encodeRequest } from "./framing.ts";

const token = "0123456789abcdef0123456789abcdef";

/** Feeds the bytes in pieces of these sizes, over and over. */
function feed(bytes: Uint8Array, sizes: readonly number[]): { data: Buffer; status: number | undefined } {
  const reader = createFrameReader(token);
  const pieces: Buffer[] = [];
  let status: number | undefined;
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const next = at + (sizes[turn % sizes.length] ?? 1);
    const read = reader.push(bytes.subarray(at, next));
    pieces.push(read.data);
    status ??= read.status;
    at = next;
  }
  return { data: Buffer.concat(pieces), status };
}

test("createFrameReader() gives the data as it was and the status, however the bytes arrive", () => {
  assert(
    property(
      uint8Array({ maxLength: 300 }),
      integer({ min: 0, max: 255 }),
      array(integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      (data, status, sizes) => {
        const bytes = Buffer.concat([data, Buffer.from(`\n${token} ${status}\n`)]);
        expect(feed(bytes, sizes)).toEqual({ data: Buffer.from(data), status });
      },
    ),
  );
});

test.each([
  ["the token without its newline", `${token} 0\n`],
  ["another token", `\n${"f".repeat(32)} 0\n`],
  ["half of the end", `\n${token.slice(0, 16)}\n\n${token.slice(0, 31)}`],
])("createFrameReader() takes %s for data", (_, text) => {
  const bytes = Buffer.from(`${text}\n${token} 7\n`);
  expect(feed(bytes, [1])).toEqual({ data: Buffer.from(text), status: 7 });
});

test("createFrameReader() gives what a command writes while it runs", () => {
  const reader = createFrameReader(token);
  expect(reader.push(Buffer.from("tick")).data.toString()).toBe("tick");
  expect(reader.push(Buffer.from("\ntock")).data.toString()).toBe("\ntock");
});

test("encodeRequest() counts bytes, not characters", () => {
  expect(encodeRequest("t", "echo ü\n").toString()).toBe("t 8\necho ü\n");
});
