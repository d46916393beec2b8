import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { s3Store } from "./s3-store.ts";
import type { Store } from "./store.ts";

// A bucket that keeps the conditions of a write, as Amazon documents them: s3rver, with which the system tests run,
// overlooks them.

const objects = new Map<string, Buffer>();
/** How many of the next writes are answered with an error after they are done. */
let lostAnswers = 0;
const server = createServer((request, response) => void answer(request, response));
let store: Store;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const env = {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
  };
  store = s3Store("s3://patches", { env, signal: AbortSignal.timeout(60_000) });
});
afterAll(() => {
  server.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? "";
  const body = await buffer(request);
  const present = objects.get(path);
  if (request.method === "GET") {
    if (present === undefined) response.writeHead(404).end();
    else response.writeHead(200, { etag: tagOf(present), "content-length": present.length }).end(present);
    return;
  }
  const { "if-match": wanted, "if-none-match": none } = request.headers;
  const isRefused =
    (none === "*" && present !== undefined) ||
    (wanted !== undefined && (present === undefined || wanted !== tagOf(present)));
  if (!isRefused) objects.set(path, body);
  const isLost = !isRefused && lostAnswers-- > 0;
  response.writeHead(isRefused ? 412 : isLost ? 503 : 200).end();
}

function tagOf(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

test.each([
  ["that is not there yet", "first", "second"],
  ["that is there", "third", "fourth"],
])("writePointer() refuses the later of two writers who saw the same pointer %s", async (_, early, late) => {
  const file = await store.read("pointer");
  await store.writePointer("pointer", Buffer.from(early), { file });
  await expect(store.writePointer("pointer", Buffer.from(late), { file })).rejects.toMatchObject({
    name: "RepositoryBusy",
    message: expect.stringMatching(/another publication was faster/),
  });
  expect((await store.read("pointer"))?.bytes.toString()).toBe(early);
});

test("writePointer() knows its own write again whose answer was lost", async () => {
  const file = await store.read("pointer");
  lostAnswers = 1;
  await store.writePointer("pointer", Buffer.from("fifth"), { file });
  expect((await store.read("pointer"))?.bytes.toString()).toBe("fifth");
});
