/** What keeps a live patch from being loaded, in a real kernel: each reason is named, and nothing is changed. */
import type { CommandResult, Guest } from "@kgraft/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootWithManifests, makeProgram } from "./guest.ts";

let guest: Guest;

beforeAll(async () => {
  const replaced = {
    lp_demo: ["vmlinux:cmdline_proc_show"],
    lp_v1: ["vmlinux:version_proc_show"],
    lp_v2: ["vmlinux:version_proc_show"],
  };
  guest = await bootWithManifests(replaced, {}, [await makeProgram("pty")]);
});
afterAll(async () => {
  await guest.shutdown();
});

async function run(command: string): Promise<CommandResult> {
  return guest.run(command, { timeoutMs: 90_000 });
}

/** What is loaded and noted, and which function runs. */
const stand = "kgr patches; ls /run/kgr 2>/dev/null | grep lp_; grep 'live patched' /proc/cmdline";

/** Loads lp_demo after a change of the machine, which is taken back. */
async function loadAfter(change: string, back: string): Promise<CommandResult & { left: string }> {
  await run(change);
  const result = await run("kgr load /p/lp_demo.ko");
  const left = (await run(stand)).stdout;
  await run(back);
  return { ...result, left };
}

describe("kgr load refuses, names why, and changes nothing", () => {
  const configure = (line: string): string => `mkdir -p /etc/kgr; echo ${line} >/etc/kgr/kgr.conf`;
  const restore = "rm -f /etc/kgr/kgr.conf";
  const tracing = "cd /sys/kernel/tracing";

  test.each<[string, string, string, number, string]>([
    [
      "another release",
      "cp /p/lp_demo.ko /tmp/kept; sed -i s/6.1.0-55-cloud/6.1.0-56-cloud/ /p/lp_demo.ko",
      "cp /tmp/kept /p/lp_demo.ko",
      4,
      "it is for kernel 6.1.0-56-cloud-amd64, 6.1.0-55-cloud-amd64 is running",
    ],
    [
      "no manifest, where the policy wants one",
      `${configure("UNKNOWN_MODULE=refuse")}; mv /p/lp_demo.json /tmp/kept`,
      `${restore}; mv /tmp/kept /p/lp_demo.json`,
      6,
      "it has no manifest beside it: nothing will tell what it repairs",
    ],
    [
      "a manifest that is damaged",
      "cp /p/lp_demo.json /tmp/kept; sed -i s/}$// /p/lp_demo.json",
      "cp /tmp/kept /p/lp_demo.json",
      65,
      "cannot read manifest /p/lp_demo.json: it is no JSON",
    ],
    [
      "a manifest of another version",
      "cp /p/lp_demo.json /tmp/kept; sed -i s,kgraft-manifest/1,kgraft-manifest/2, /p/lp_demo.json",
      "cp /tmp/kept /p/lp_demo.json",
      65,
      "cannot read manifest /p/lp_demo.json: schema: ",
    ],
    [
      "a manifest of another module",
      "cp /p/lp_demo.ko /tmp/kept; echo >>/p/lp_demo.ko",
      "cp /tmp/kept /p/lp_demo.ko",
      65,
      "its manifest wants",
    ],
    [
      "no signature, where the policy wants one",
      configure("UNSIGNED_MODULE=refuse"),
      restore,
      6,
      "it has no signature",
    ],
    [
      "a signature that the kernel cannot verify, where the policy wants one",
      `${configure("UNSIGNED_MODULE=refuse")}; cp /p/lp_demo.ko /tmp/kept; mv /p/lp_demo.json /tmp/json; printf '~Module signature appended~\\n' >>/p/lp_demo.ko`,
      `${restore}; cp /tmp/kept /p/lp_demo.ko; mv /tmp/json /p/lp_demo.json`,
      6,
      "cannot keep lp_demo: the kernel does not know the key of its signature; it was taken out again",
    ],
    [
      "a probe that would fall silent",
      `${tracing}; echo 'p:mine cmdline_proc_show+5' >kprobe_events; echo 1 >events/kprobes/mine/enable`,
      `${tracing}; echo 0 >events/kprobes/mine/enable; echo >kprobe_events`,
      6,
      "vmlinux:cmdline_proc_show has another user: kprobe event kprobes/mine at cmdline_proc_show+0x5 would fall silent",
    ],
    [
      "another user that redirects its function",
      "insmod /p/lp_probe.ko",
      "rmmod lp_probe",
      2,
      "vmlinux:cmdline_proc_show has another user: kprobe at cmdline_proc_show+0x0 redirects it already",
    ],
    [
      "that user where no manifest tells of the function: the kernel's own word, at once",
      "insmod /p/lp_probe.ko; mv /p/lp_demo.json /tmp/kept",
      "rmmod lp_probe; mv /tmp/kept /p/lp_demo.json",
      1,
      "livepatch: failed to register ftrace handler for function 'cmdline_proc_show'",
    ],
    [
      "a taint that the policy names",
      configure("REFUSED_TAINTS=O"),
      restore,
      6,
      "the kernel is tainted: O, a module from outside is loaded",
    ],
  ])("%s", async (_, change, back, status, message) => {
    const result = await loadAfter(change, back);
    expect(result).toMatchObject({ status, stdout: "", left: "" });
    expect(result.stderr).toContain(message);
    expect(result.stderr).toMatch(/kgr: cannot .+\n {5}.+\n$/);
  });

  test("and loads it when all that is gone", async () => {
    expect(await run("kgr load /p/lp_demo.ko")).toMatchObject({ status: 0 });
    expect(await run("kgr unload lp_demo")).toMatchObject({ status: 0 });
  });
});

describe("kgr downgrade", () => {
  const inForce = "grep -h patch /proc/version; kgr patches | sort";

  beforeAll(async () => {
    await run(
      "mkdir -p /dev/pts; mount -t devpts none /dev/pts; kgr load /p/lp_v1.ko && kgr load /p/lp_v2.ko",
    );
  });
  afterAll(async () => {
    await run("kgr unload lp_v1; kgr unload lp_v2");
  });

  test("asks, and without a terminal refuses", async () => {
    expect(await run("kgr downgrade </dev/null")).toMatchObject({
      status: 2,
      stdout: "",
      stderr:
        "kgr: did not downgrade lp_v2: nobody to ask, this is no terminal\n     go ahead with: kgr downgrade --yes\n",
    });
    expect((await run(inForce)).stdout).toBe("live patch 2\nlp_v1\nlp_v2\n");
  });

  test("takes no for an answer", async () => {
    const { status, stdout } = await run("pty 80 500 $'no\\n' kgr downgrade");
    expect(status).toBe(2);
    expect(stdout).toMatch(
      /^kgr load \/p\/lp_v1\.ko\r\nDowngrade lp_v2 so\? Type yes: [^]*the answer was not yes/,
    );
    expect((await run(inForce)).stdout).toBe("live patch 2\nlp_v1\nlp_v2\n");
  });

  test("goes back to the one before when it is told yes, or klp's -n", async () => {
    const { status, stdout } = await run("pty 80 500 $'yes\\n' kgr downgrade");
    expect(status).toBe(0);
    expect(stdout).toMatch(/lp_v1: ready after [\d.]+ s, lp_v2 gave way|lp_v1: ready, lp_v2 gave way/);
    expect((await run(inForce)).stdout).toBe("live patch 1\nlp_v1\nlp_v2\n");
    await run("kgr unload lp_v2; kgr load /p/lp_v2.ko");
    expect(await run("klp -n downgrade")).toMatchObject({ status: 0 });
    expect((await run(inForce)).stdout).toBe("live patch 1\nlp_v1\nlp_v2\n");
  });

  test("never takes another patch that was loaded before it, or one that nothing tells of", async () => {
    const other = "cp /p/lp_stack.ko /tmp/lp_stack.ko; kgr load /tmp/lp_stack.ko && kgr unload lp_stack";
    await run(`kgr unload lp_v1; kgr unload lp_v2; ${other}; kgr load /p/lp_v2.ko`);
    const refusal = (why: string, path: string): object => ({
      status: 2,
      stdout: "",
      stderr: `kgr: cannot downgrade lp_v2: ${why}\n     go back to the original functions with: kgr disable lp_v2; or load the other all the same: kgr load ${path}\n`,
    });
    await run("mv /p/lp_v1.json /tmp/kept");
    expect(await run("kgr downgrade --yes")).toEqual(
      expect.objectContaining(refusal("lp_v1 has no manifest that says what it is", "/p/lp_v1.ko")),
    );
    await run("mv /p/lp_v1.ko /tmp/gone.ko");
    expect(await run("kgr downgrade --yes")).toEqual(
      expect.objectContaining(
        refusal("lp_stack, loaded before it, is not an earlier version of it", "/tmp/lp_stack.ko"),
      ),
    );
    await run("mv /tmp/kept /p/lp_v1.json; mv /tmp/gone.ko /p/lp_v1.ko");
    expect((await run(inForce)).stdout).toBe("live patch 2\nlp_v2\n");
  });

  test("takes what is installed where nothing was loaded, as after a reboot; and warns of the next boot", async () => {
    const files = "mkdir -p /usr/lib/modules/$(uname -r); kgr install /p/lp_v1.ko && kgr install /p/lp_v2.ko";
    await run(`${files}; rm /run/kgr/load-history.json`);
    expect(await run("kgr downgrade --yes")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^lp_v1: ready, lp_v2 gave way\n$/) as string,
      stderr: expect.stringContaining("end that with: kgr uninstall lp_v2\n") as string,
    });
    expect((await run(inForce)).stdout).toBe("live patch 1\nlp_v1\nlp_v2\n");
    await run("kgr uninstall lp_v1; kgr uninstall lp_v2");
  });

  test("says so where there is none before it", async () => {
    await run("kgr unload lp_v1; kgr unload lp_v2; rm /run/kgr/load-history.json; kgr load /p/lp_v1.ko");
    expect(await run("kgr downgrade --yes")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("neither a package nor a file has an earlier version of it") as string,
    });
  });
});

describe("--dry-run says what would be done, and does not do it", () => {
  test("load", async () => {
    expect(await run("kgr load /p/lp_demo.ko --dry-run")).toMatchObject({
      status: 0,
      stdout: "lp_demo: would be loaded\n",
    });
    expect((await run(stand)).stdout).toBe("");
  });

  test.each([
    ["disable lp_demo", "lp_demo: would be disabled\n"],
    ["unload lp_demo", "lp_demo: would be disabled, then its module would be removed\n"],
    ["enable lp_demo", "lp_demo: is active already\n"],
    ["poke", ""],
    ["force", "ready\n"],
  ])("%s", async (command, said) => {
    await run("grep -q '^lp_demo ' /proc/modules || kgr load /p/lp_demo.ko");
    expect(await run(`kgr ${command} --dry-run`)).toMatchObject({ status: 0, stdout: said });
    expect((await run(stand)).stdout).toBe("lp_demo\nlp_demo.json\nthis has been live patched\n");
  });

  test("install, uninstall and boot", async () => {
    const said = async (command: string): Promise<string> => (await run(`kgr ${command} --dry-run`)).stdout;
    const store = "/usr/lib/modules/$(uname -r)/updates/kgraft";
    await run("kgr unload lp_demo; mkdir -p /usr/lib/modules/$(uname -r) /var/lib");
    expect(await said("install /p/lp_demo.ko")).toMatch(
      /^lp_demo: would be installed for 6\.1\.0-55-cloud-amd64\n$/,
    );
    expect((await run(`ls ${store}`)).stdout).toBe("");
    await run("kgr install /p/lp_demo.ko");
    expect(await said("uninstall lp_demo")).toBe("lp_demo: would be uninstalled\n");
    expect(await said("boot")).toBe("lp_demo: would be loaded\n");
    expect((await run(`ls ${store} /var/lib/kgr; ${stand}`)).stdout).toBe(
      "/usr/lib/modules/6.1.0-55-cloud-amd64/updates/kgraft:\nlp_demo.json\nlp_demo.ko\n",
    );
    await run("kgr uninstall lp_demo");
  });

  test("downgrade", async () => {
    await run("kgr unload lp_demo; kgr load /p/lp_v1.ko; kgr unload lp_v1; kgr load /p/lp_v2.ko");
    expect(await run("kgr downgrade --dry-run")).toMatchObject({
      status: 0,
      stdout: "lp_v2: would give way to /p/lp_v1.ko\n",
    });
    expect((await run("kgr patches; cat /proc/version")).stdout).toBe("lp_v2\nlive patch 2\n");
  });
});
