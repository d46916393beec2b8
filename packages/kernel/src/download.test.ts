import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { PackageFile } from "./apt.ts";
import { download } from "./download.ts";

const content = Buffer.alloc(3_000_000, "kgraft ");
const sha256 = createHash("sha256").update(content).digest("hex");

type Behaviour = (request: IncomingMessage, response: ServerResponse, count: number) => void;
let behaviour: Behaviour = serve;
let requests: string[] = [];
const server = createServer((request, response) => {
  requests.push(request.headers.range ?? "all");
  behaviour(request, response, requests.length);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kgraft-download-"));
  requests = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

function serve(request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
  response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
  response.end(content.subarray(from));
}

function cutOffAfter(sizeBytes: number): Behaviour {
  return (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
    response.write(content.subarray(from, from + sizeBytes), () => response.destroy());
  };
}

function packageFile(changes: Partial<PackageFile> = {}): PackageFile {
  const file = "a_1_all.deb";
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${file}`;
  return { name: "a", version: "1", file, address, sizeBytes: content.length, sha256, ...changes };
}

function start(
  file: PackageFile,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly string[]> {
  return download([file], { onProgress: () => {}, signal }, directory);
}

describe("download()", () => {
  test("fetches once, a second time nothing", async () => {
    behaviour = serve;
    const [path] = await start(packageFile());
    expect(readFileSync(path!).equals(content)).toBe(true);
    await start(packageFile());
    expect(requests).toEqual(["all"]);
    expect(readdirSync(directory)).toEqual(["a_1_all.deb"]);
  });

  test("goes on where it was cut off", async () => {
    behaviour = (request, response, count) =>
      (count < 3 ? cutOffAfter(1_000_000) : serve)(request, response, count);
    const [path] = await start(packageFile());
    expect(readFileSync(path!).equals(content)).toBe(true);
    expect(requests).toEqual([
      "all",
      expect.stringMatching(/^bytes=\d+-$/),
      expect.stringMatching(/^bytes=\d+-$/),
    ]);
  });

  test("gives up when it is cut off again and again, and keeps what came", async () => {
    behaviour = cutOffAfter(500_000);
    await expect(start(packageFile())).rejects.toMatchObject({ name: "DownloadFailed" });
    expect(readdirSync(directory)).toEqual(["a_1_all.deb.part"]);
    behaviour = serve;
    const [path] = await start(packageFile());
    expect(readFileSync(path!).equals(content)).toBe(true);
  });

  test("starts anew where what an earlier run left is wrong", async () => {
    behaviour = serve;
    writeFileSync(join(directory, "a_1_all.deb.part"), "something else");
    const [path] = await start(packageFile());
    expect(readFileSync(path!).equals(content)).toBe(true);
  });

  test("takes the whole from a server that knows no ranges", async () => {
    writeFileSync(join(directory, "a_1_all.deb.part"), content.subarray(0, 1000));
    behaviour = (_, response) => response.end(content);
    const [path] = await start(packageFile());
    expect(readFileSync(path!).equals(content)).toBe(true);
  });

  test.each<[string, Partial<PackageFile>, Behaviour, RegExp]>([
    ["a wrong hash", { sha256: "0".repeat(64) }, serve, /SHA-256 hash .*, wanted 0000/],
    ["more than was promised", { sizeBytes: 1000 }, serve, /more than 1000 bytes/],
    ["less than was promised", { sizeBytes: 4_000_000 }, serve, /cut off after 3000000 bytes|416|wrong/],
    ["a refusal", {}, (_, response) => response.writeHead(404).end(), /answers 404/],
  ])("refuses %s and shows no file", async (_, changes, how, message) => {
    behaviour = how;
    const started = start(packageFile(changes));
    await expect(started).rejects.toMatchObject({ name: "DownloadFailed" });
    await expect(started).rejects.toThrow(message);
    expect(readdirSync(directory)).not.toContain("a_1_all.deb");
  });

  test("says when no space is left", async () => {
    behaviour = serve;
    symlinkSync("/dev/full", join(directory, "a_1_all.deb.part"));
    await expect(start(packageFile())).rejects.toMatchObject({ name: "NoSpace" });
  });

  test("an abort leaves only a part, and no lock", async () => {
    const stop = new AbortController();
    behaviour = (_, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 1_000_000), () =>
        setTimeout(() => stop.abort(new Error("stopped")), 20),
      );
    };
    await expect(start(packageFile(), stop.signal)).rejects.toThrow("stopped");
    expect(readdirSync(directory)).toEqual(["a_1_all.deb.part"]);
  });
});
