/** What can go wrong while a kernel is fetched: a cache of its own, and a mirror that misbehaves. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fetchKernel, type Progress } from "../src/mod.ts";
import { findMirrors } from "../src/sources.ts";

const release = "6.1.0-55-cloud-amd64";
const { signal } = new AbortController();
const before = { ...process.env };

let cache = "";
let server: Server | undefined;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "kgraft-fetch-"));
  process.env["KGRAFT_CACHE"] = cache;
});
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
  server = undefined;
  process.env = { ...before };
  rmSync(cache, { recursive: true });
});

/** A mirror of the real one that spoils the packages; the signed index passes unchanged. */
async function spoilingMirror(spoil: (bytes: Buffer) => Buffer): Promise<void> {
  const mirrors = await findMirrors(before);
  server = createServer(async (request, response) => {
    const path = request.url ?? "";
    const upstream = path.startsWith("/debian-security/")
      ? mirrors.security + path.slice("/debian-security".length)
      : mirrors.main + path.slice("/debian".length);
    const answer = await fetch(upstream);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const body = path.endsWith(".deb") ? spoil(bytes) : bytes;
    response.writeHead(answer.status, { "content-length": bytes.length });
    if (body.length === bytes.length) response.end(body);
    else response.write(body, () => response.destroy());
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  process.env["KGRAFT_MIRROR"] = `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`;
}

function fetchIt(
  name: string = release,
  onProgress: (progress: Progress) => void = () => {},
): Promise<unknown> {
  return fetchKernel({ release: name }, { onProgress, signal });
}

/** Everything under kernels/: there must be nothing, not even hidden. */
function kernelsLeft(): readonly string[] {
  return readdirSync(join(cache, "kernels"));
}

/** Command lines of live processes that name the cache. */
function processesLeft(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(cache));
}

describe("fetchKernel()", () => {
  test("an unknown release is refused with near names", async () => {
    await expect(fetchIt("6.1.0-55-clod-amd64")).rejects.toMatchObject({
      name: "UnknownRelease",
      near: expect.arrayContaining([release]),
    });
    expect(kernelsLeft()).toEqual([]);
  });

  test.each(["", "../../etc", "6.1 0", "-x"])("%j is no release", async (name) => {
    await expect(fetchIt(name)).rejects.toMatchObject({ name: "BadRequest" });
  });

  test("a changed package is refused by its hash", async () => {
    await spoilingMirror((bytes) => {
      const copy = Buffer.from(bytes);
      copy[copy.length >> 1]! ^= 1;
      return copy;
    });
    const fetching = fetchIt();
    await expect(fetching).rejects.toMatchObject({ name: "DownloadFailed" });
    await expect(fetching).rejects.toThrow(/SHA-256 hash/);
    expect(kernelsLeft()).toEqual([]);
    expect(readdirSync(join(cache, "downloads"))).toEqual([]);
  });

  test("a download that is cut off is refused, and kept to go on from", async () => {
    await spoilingMirror((bytes) => bytes.subarray(0, 100_000));
    await expect(fetchIt()).rejects.toMatchObject({ name: "DownloadFailed" });
    expect(kernelsLeft()).toEqual([]);
    expect(readdirSync(join(cache, "downloads"))).toEqual([expect.stringMatching(/^linux-headers.*\.part$/)]);
  });

  test("no mirror behind the address is said so", async () => {
    process.env["KGRAFT_MIRROR"] = "http://127.0.0.1:9/debian";
    await expect(fetchIt()).rejects.toMatchObject({ name: "IndexFailed" });
    expect(kernelsLeft()).toEqual([]);
  });

  test("an abort leaves no kernel and no process, and the next run goes on with what has come", async () => {
    const downloaded: string[][] = [];
    for (const at of ["download", "unpack", "prepare"]) {
      const stop = new AbortController();
      const onProgress = ({ stage, doneBytes }: Progress): void => {
        if (stage === at && (doneBytes ?? 5_000_000) >= 5_000_000) {
          setTimeout(() => stop.abort(new Error(`stopped in ${at}`)), 300);
        }
      };
      const fetching = fetchKernel({ release }, { onProgress, signal: stop.signal });
      await expect(fetching).rejects.toThrow(`stopped in ${at}`);
      expect(kernelsLeft()).toEqual([]);
      expect(processesLeft()).toEqual([]);
      downloaded.push(readdirSync(join(cache, "downloads")));
    }
    expect(downloaded[1]).toHaveLength(4);
    expect(downloaded[2]).toEqual(downloaded[1]);
  });
});
