/**
 * A repository in a bucket, by the five calls that every S3 API has. Credentials and place come from the environment,
 * by the names that Amazon's own tools read; with AWS_ENDPOINT_URL any other server is taken, with the bucket in
 * the path.
 *
 * A PUT is whole or not there, and is seen by every later GET, so a bucket needs no renaming. What it has not is a
 * lock: the ledger's pointer is written on condition that it is still the one that was read (If-Match), which Amazon
 * and most others keep; a server that does not know conditions leaves it to the user to publish one at a time.
 * Source: Amazon S3 API Reference, GetObject, PutObject, HeadObject, DeleteObject, "Conditional writes".
 */
import { AwsClient } from "aws4fetch";
import { sha256 } from "./blocks.ts";
import { BadPublication, RepositoryBusy, StoreFailed } from "./errors.ts";
import { fileLimitBytes, type Store } from "./store.ts";

export interface S3Options {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

interface Request {
  readonly method: string;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

type Call = (path: string, request: Request, okCodes: readonly number[]) => Promise<Response>;

/** @param address `s3://BUCKET` or `s3://BUCKET/FOLDER` @throws BadPublication where credentials are missing */
export function s3Store(address: string, options: S3Options): Store {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._/-]*))?$/.exec(address);
  if (match === null) {
    throw new BadPublication(
      `cannot read ${address}: wanted s3://BUCKET or s3://BUCKET/FOLDER`,
      "see kgraft(1)",
    );
  }
  const [, bucket = "", folder = ""] = match;
  const base = `${bucketUrl(bucket, options.env)}/${folder === "" ? "" : `${folder.replace(/\/+$/, "")}/`}`;
  return storeBy(address, makeCall(address, base, options));
}

function makeCall(address: string, base: string, { env, signal }: S3Options): Call {
  const client = makeClient(env);
  return async (path, { method, body, headers }, okCodes) => {
    signal.throwIfAborted();
    const url = base + path.split("/").map(escaped).join("/");
    const init: RequestInit = {
      method,
      // The contents are under the signature too: what is altered or cut off on the way is refused by the server.
      headers: { ...headers, "x-amz-content-sha256": sha256(body ?? "") },
      ...(body !== undefined && { body: Buffer.from(body) }),
      signal,
    };
    const response = await client.fetch(url, init).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw new StoreFailed(
        `cannot reach ${url}: ${(cause as Error).message}`,
        "see that AWS_ENDPOINT_URL names the server and that it runs",
        { cause },
      );
    });
    if (response.ok || okCodes.includes(response.status)) return response;
    const told = /<Message>([^<]{1,300})/.exec(await response.text().catch(() => ""))?.[1];
    throw new StoreFailed(
      `cannot ${method} ${address}/${path}: found status ${response.status}${told === undefined ? "" : ` (${told})`}, wanted 200`,
      response.status === 403
        ? "see that AWS_ACCESS_KEY_ID may read and write this bucket"
        : "see that the bucket is there",
    );
  };
}

/** RFC 3986 to the letter, for what goes over the line is what is signed: servers differ in what they decode first. */
function escaped(name: string): string {
  return encodeURIComponent(name).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function storeBy(address: string, call: Call): Store {
  const store: Store = {
    name: address,
    async read(path, limitBytes = fileLimitBytes) {
      const response = await call(path, { method: "GET" }, [404]);
      if (response.status === 404) {
        await response.body?.cancel();
        return undefined;
      }
      const sizeBytes = Number(response.headers.get("content-length") ?? 0);
      if (sizeBytes > limitBytes) {
        await response.body?.cancel();
        throw new StoreFailed(
          `cannot read ${address}/${path}: found ${sizeBytes} bytes, wanted at most ${limitBytes}`,
          "see what it is: kgraft has written nothing so large there",
        );
      }
      return {
        bytes: Buffer.from(await response.arrayBuffer()),
        tag: response.headers.get("etag") ?? undefined,
      };
    },
    async writeLasting(path, bytes) {
      const headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "content-type": typeOf(path),
      };
      await call(path, { method: "PUT", body: bytes, headers }, []);
    },
    async writePointer(path, bytes, seen) {
      const headers: Record<string, string> = { "cache-control": "no-cache", "content-type": typeOf(path) };
      if (seen !== undefined) {
        if (seen.file === undefined) headers["if-none-match"] = "*";
        else if (seen.file.tag !== undefined) headers["if-match"] = seen.file.tag;
      }
      const response = await call(path, { method: "PUT", body: bytes, headers }, [409, 412]);
      if (response.ok) return;
      // A write whose answer was lost is sent again, and then meets itself.
      if ((await store.read(path))?.bytes.equals(bytes) === true) return;
      throw new RepositoryBusy(
        `cannot publish to ${address}: another publication was faster`,
        "type the command again: it begins from what the other one left",
      );
    },
    async writeTogether(folder, files) {
      for (const [name, bytes] of files) await store.writePointer(`${folder}/${name}`, bytes);
    },
    has: async (path) => (await call(path, { method: "HEAD" }, [404])).ok,
    async remove(path) {
      await call(path, { method: "DELETE" }, [404]);
    },
    lock: () => Promise.resolve({ check: () => {}, [Symbol.asyncDispose]: () => Promise.resolve() }),
  };
  return store;
}

function makeClient(env: NodeJS.ProcessEnv): AwsClient {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (!accessKeyId || !secretAccessKey) {
    throw new BadPublication(
      `cannot publish to s3: ${accessKeyId ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID"} is not set`,
      "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_REGION or AWS_ENDPOINT_URL",
    );
  }
  const { AWS_SESSION_TOKEN: sessionToken } = env;
  return new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    service: "s3",
    region: regionOf(env),
    retries: 4,
  });
}

function bucketUrl(bucket: string, env: NodeJS.ProcessEnv): string {
  const endpoint = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"];
  if (!endpoint) return `https://${bucket}.s3.${regionOf(env)}.amazonaws.com`;
  if (!/^https?:\/\/[^\s"'\\]+$/.test(endpoint)) {
    throw new BadPublication(
      `cannot read AWS_ENDPOINT_URL: found ${JSON.stringify(endpoint)}`,
      "wanted an http or https address",
    );
  }
  return `${endpoint.replace(/\/+$/, "")}/${bucket}`;
}

function regionOf(env: NodeJS.ProcessEnv): string {
  return env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || "us-east-1";
}

function typeOf(path: string): string {
  const ending = /\.(\w+)$/.exec(path)?.[1] ?? "";
  const types: Readonly<Record<string, string>> = {
    asc: "text/plain",
    csv: "text/csv",
    deb: "application/vnd.debian.binary-package",
    gz: "application/gzip",
    json: "application/json",
    rpm: "application/x-rpm",
    xml: "application/xml",
    xz: "application/x-xz",
  };
  return types[ending] ?? "text/plain";
}
