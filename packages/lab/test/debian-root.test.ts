import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootGuest, type Guest, makeDebianRoot, openRootDisk, type RootDisk } from "../src/mod.ts";
import { testKernel } from "./kernel.ts";

// A whole Debian on a disk, and guests that run from it one after the other.

let disk: RootDisk;
beforeAll(async () => {
  disk = await openRootDisk(await makeDebianRoot({ packages: ["kmod", "systemd-sysv", "udev"] }));
});
afterAll(() => disk?.[Symbol.dispose]());

async function boot(init: "none" | "system"): Promise<Guest> {
  const files = [{ path: "/opt/deep/tool", source: Buffer.from("#!/bin/sh\necho tool\n"), mode: 0o755 }];
  return bootGuest({ kernel: await testKernel(), root: { disk, init }, files, timeoutMs: 200_000 });
}

describe("a guest that runs from a disk", () => {
  test("has its own system's programs, and takes files along", async () => {
    await using guest = await boot("none");
    const { status, stdout } = await guest.run(
      '. /etc/os-release; echo $ID $VERSION_ID; readlink /bin/sh; dpkg-query -W -f "\\${Status}\\n" apt; /opt/deep/tool; ischroot; echo $?; dpkg --version | head -n 1',
    );
    expect(stdout).toMatch(
      /^debian 12\ndash\ninstall ok installed\ntool\n1\nDebian 'dpkg' package management program version .*\n$/,
    );
    expect(status).toBe(0);
    await guest.run("echo kept >/root/kept");
    expect(await guest.shutdown()).toEqual({ kind: "powered-off" });
  });

  test("finds what the guest before it has written, and starts its own first process", async () => {
    await using guest = await boot("system");
    const started =
      "until [ -e /run/systemd/private ]; do sleep 0.1; done; systemctl is-system-running --wait";
    const state = await guest.run(`${started}; systemctl --failed --plain --no-legend`);
    expect(state.stdout).toBe("running\n");
    expect(await guest.run("cat /root/kept; cat /proc/1/comm")).toMatchObject({ stdout: "kept\nsystemd\n" });
    expect(await guest.shutdown()).toEqual({ kind: "powered-off" });
  });

  test("killed as by a power cut, leaves a disk that the next one mounts", async () => {
    const guest = await boot("none");
    await guest.run("echo synced >/root/synced; sync; echo lost >/root/lost");
    await guest.kill();
    await using next = await boot("none");
    expect((await next.run("cat /root/synced")).stdout).toBe("synced\n");
  });
});
