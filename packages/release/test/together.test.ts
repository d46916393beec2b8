import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { directoryStore } from "../src/mod.ts";
import { type Answer, aptClient, dnfClient, zypperClient } from "./clients.ts";
import { makeDeb, makeRpm, release } from "./make-package.ts";
import { newKey, publicKey, publishWith, scratch, type Scratch } from "./scratch.ts";
import { serve, type Served } from "./serve.ts";

// Clients that update while something is published, again and again.

const deb = `kgraft-patch-${release}`;
const rpm = `kgraft-patch-${release.replaceAll(".", "_")}`;
const last = 12;

let place: Scratch;
let key: string;
let served: Served;
const packages: (readonly string[])[] = [];

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  for (let counter = 1; counter <= last; counter++) {
    packages.push([await makeDeb(place.path, { counter }), await makeRpm(place.path, { counter })]);
  }
  served = await serve(place.repository);
  await publishWith([key], place.repository, packages[0]!, { settings: { url: served.url } }); // there are twelve
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await place?.[Symbol.asyncDispose]();
});

/** What a client may say while a publication passes under it: what it has, or that two files are not of one. */
interface Round {
  readonly who: string;
  readonly version: number;
  readonly refused: string | undefined;
}

describe("while patches are published one after the other", () => {
  test("apt always updates; zypper and dnf take no mixture", async () => {
    const apt = await aptClient(join(place.path, "apt"), served.url, await publicKey(key));
    const zypper = await zypperClient(join(place.path, "zypper"), served.url);
    const dnf = await dnfClient(join(place.path, "dnf"), served.url);
    const refused = ({ code, text }: Answer): string | undefined => (code === 0 ? undefined : text);
    const number = (text: string, form: RegExp): number => Number(form.exec(text)?.[1] ?? 0);
    const clients: Readonly<Record<string, () => Promise<Omit<Round, "who">>>> = {
      async apt() {
        const update = await apt("apt-get", "update");
        const { text } = await apt("apt-cache", "policy", deb);
        return { version: number(text, /Candidate: (\d+)-1/), refused: refused(update) };
      },
      async zypper() {
        const refresh = await zypper("--gpg-auto-import-keys", "refresh");
        const { text } = await zypper("--no-refresh", "info", rpm);
        return { version: number(text, /^Version *: (\d+)-1/m), refused: refused(refresh) };
      },
      async dnf() {
        const cache = await dnf("--refresh", "makecache");
        const { text } = await dnf(
          "--cacheonly",
          "repoquery",
          "--latest-limit=1",
          "--qf",
          "is %{version}",
          rpm,
        );
        return { version: number(text, /^is (\d+)$/m), refused: refused(cache) };
      },
    };
    const rounds: Round[] = [];
    const publishing = new AbortController();
    const follow = async ([who, look]: [string, () => Promise<Omit<Round, "who">>]): Promise<void> => {
      while (!publishing.signal.aborted) rounds.push({ who, ...(await look()) });
      // Once more, with nothing going on.
      rounds.push({ who, ...(await look()) });
    };
    const following = Promise.all(Object.entries(clients).map(follow));
    for (const next of packages.slice(1)) {
      await publishWith([key], place.repository, next);
      await sleep(100);
    }
    publishing.abort();
    await following;
    for (const who of Object.keys(clients)) {
      const own = rounds.filter((round) => round.who === who);
      expect(own.length).toBeGreaterThan(3);
      expect(own.at(-1)).toEqual({ who, version: last, refused: undefined });
      // What a client has never becomes older.
      expect(own.map(({ version }) => version)).toEqual(
        own.map(({ version }) => version).toSorted((a, b) => a - b),
      );
      // apt is never refused; an rpm client at most because repomd.xml and its signature are of two publications.
      const excused = who === "apt" ? /^$/ : /^$|[Ss]ignature verification (failed|error)/;
      expect(own.map(({ refused: words = "" }) => words).filter((words) => !excused.test(words))).toEqual([]);
    }
  });

  test("two publishers do not write at once", async () => {
    const other = directoryStore(place.repository);
    await using lock = await other.lock();
    lock.check();
    await expect(publishWith([key], place.repository, [])).rejects.toMatchObject({ name: "RepositoryBusy" });
  });

  test("a lock that cannot be had is not said to be somebody else's", async () => {
    const repository = join(place.path, "locked");
    await mkdir(join(repository, "kgraft"), { recursive: true });
    await symlink(".lock", join(repository, "kgraft/.lock"));
    await expect(publishWith([key], repository, [])).rejects.toMatchObject({
      name: "StoreFailed",
      message: expect.stringMatching(/^cannot lock \S+\/kgraft\/\.lock: flock ended with 6\d$/),
    });
  });
});
