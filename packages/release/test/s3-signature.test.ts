/** What the store of a bucket sends, signed once more by botocore: both signatures are the same. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { s3Store } from "../src/mod.ts";

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const sent: Sent[] = [];
const server = createServer((request, response) => {
  void (async () => {
    const { method = "", url: path = "", headers } = request;
    sent.push({ method, path, headers, body: await buffer(request) });
    response.writeHead(200, { etag: '"tag"' }).end();
  })();
});
const credentials = ["AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"] as const;
let endpoint: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
});

/** What botocore says for each request; it is given the headers that ours has signed, and nothing of the signature. */
async function signedByBotocore(region: string, session: string | undefined): Promise<readonly string[]> {
  const lines = sent.map(({ method, path, headers, body }) => {
    const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? "")?.[1]?.split(";") ?? [];
    // botocore sets these itself.
    const own = new Set(["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"]);
    return JSON.stringify({
      method,
      url: `${endpoint}${path}`,
      headers: Object.fromEntries(
        signed.filter((name) => !own.has(name)).map((name) => [name, headers[name]]),
      ),
      body: body.toString("hex"),
      timestamp: headers["x-amz-date"],
      credentials: [...credentials, ...(session === undefined ? [] : [session])],
      region,
    });
  });
  const script = join(import.meta.dirname, "s3-signature.py");
  const { stdout } = await execa("/usr/bin/python3", [script], { input: lines.join("\n") });
  return stdout.split("\n");
}

test.each([
  ["with keys that stay", {}, "us-east-1", undefined],
  [
    "in another region, with keys of one session",
    { AWS_REGION: "eu-central-1" },
    "eu-central-1",
    "FQoGZXIvYXdz//+EXAMPLE==",
  ],
] as const)("s3Store() signs each kind of request as botocore does, %s", async (_, more, region, session) => {
  sent.length = 0;
  const store = s3Store("s3://patches/live", {
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: credentials[0],
      AWS_SECRET_ACCESS_KEY: credentials[1],
      ...more,
      ...(session !== undefined && { AWS_SESSION_TOKEN: session }),
    },
    signal: AbortSignal.timeout(60_000),
  });
  await store.read("dists/stable/InRelease");
  await store.has("kgraft/stable/ledger");
  // As packages are called, and as none is.
  for (const name of ["kgr_0.1.0+git20261125~1-1_amd64.deb", "a b(c)!'*&=?#%é.json"]) {
    await store.writeLasting(`pool/stable/${name}`, Buffer.from("what is in it"));
    await store.remove(`pool/stable/${name}`);
  }
  await store.writePointer("kgraft/stable/ledger", Buffer.from("first"), { file: undefined });
  await store.writePointer("kgraft/stable/ledger", Buffer.alloc(0), {
    file: { bytes: Buffer.from("first"), tag: '"tag"' },
  });
  expect(sent.map(({ method }) => method)).toEqual([
    "GET",
    "HEAD",
    "PUT",
    "DELETE",
    "PUT",
    "DELETE",
    "PUT",
    "PUT",
  ]);
  expect(sent.map(({ headers }) => headers.authorization)).toEqual(await signedByBotocore(region, session));
  // Conditions and the contents are under the signature.
  expect(sent.at(-1)?.headers.authorization).toMatch(/SignedHeaders=[^,]*if-match;[^,]*x-amz-content-sha256/);
  for (const { headers } of sent) expect(headers["x-amz-content-sha256"]).toMatch(/^[0-9a-f]{64}$/);
});
