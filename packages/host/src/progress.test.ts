/** What is shown while the kernel is at work on a live patch; transitions are in transition.test.ts. */
import { describe, expect, test } from "vitest";
import { idleMachine, livePatchFiles, type Machine, makeMachine, programPid } from "../test/machine.ts";
import { pairFiles } from "../test/store.ts";

const work = "lp_new: insmod is at work in the kernel";
const insmod = `#!/bin/sh
mkdir -p $ROOT/sys/kernel/livepatch/lp_new $ROOT/sys/module/lp_new
echo 1 >$ROOT/sys/kernel/livepatch/lp_new/enabled; echo 0 >$ROOT/sys/kernel/livepatch/lp_new/transition
echo 1 >$ROOT/sys/module/lp_new/refcnt
`;

function machine(more: Readonly<Record<string, string>> = {}): Machine {
  const made = makeMachine({
    ...idleMachine,
    "/usr/sbin/insmod": insmod,
    "/run/.keep": "",
    ...pairFiles("/p", "lp_new"),
    [`/proc/${programPid}/stack`]: "[<0>] msleep+0x1/0x2\n[<0>] do_init_module+0x3/0x4\n",
    ...more,
  });
  made.programMs = 2000;
  return made;
}

/** What stood on the line, one after the other. */
function linesOn(shown: string): readonly string[] {
  return shown.split("\r\u001b[K").slice(1, -1);
}

describe("kgr load while insmod takes long", () => {
  test.each([
    [80, [`${work}, 1 s, in msleep`, `${work}, 2 s, in msleep`]],
    [48, [`${work}, 1 s`, `${work}, 2 s`]],
    [20, ["lp_new, 1 s", "lp_new, 2 s"]],
  ])("writes one line again on a terminal of %i columns, and takes it away", async (columns, lines) => {
    const host = machine();
    host.columns = columns;
    const { status, err } = await host.kgr("load", "/p/lp_new.ko");
    expect(status).toBe(0);
    expect(linesOn(err)).toEqual(lines);
    expect(err.endsWith("\r\u001b[K")).toBe(true);
  });

  test("says so once where there is no terminal", async () => {
    expect(await machine().kgr("load", "/p/lp_new.ko")).toMatchObject({ status: 0, err: `${work}\n` });
  });

  test("does without the function where the kernel does not show it", async () => {
    const host = machine();
    host.remove(`/proc/${programPid}`);
    host.columns = 80;
    expect(linesOn((await host.kgr("load", "/p/lp_new.ko")).err)).toEqual([`${work}, 1 s`, `${work}, 2 s`]);
  });

  test("says nothing of it with --json", async () => {
    expect((await machine().kgr("load", "/p/lp_new.ko", "--json")).err).toBe("");
  });

  test("interrupted, it says once that the kernel goes first, and ends with what is true then", async () => {
    const host = machine();
    host.interrupt();
    const { status, out, err } = await host.kgr("load", "/p/lp_new.ko");
    expect({ status, out }).toEqual({ status: 0, out: "lp_new: ready after 0.0 s\n" });
    expect(err).toBe(`kgr: interrupted; what the kernel has begun it carries through first\n${work}\n`);
    expect(host.read("/run/kgr/lp_new.json")).toContain('"lp_new"');
  });
});

test("kgr unload while rmmod takes long: it says so", async () => {
  const host = machine({
    ...livePatchFiles("lp_demo", 0, 0),
    "/usr/sbin/rmmod": "#!/bin/sh\nrm -r $ROOT/sys/module/lp_demo $ROOT/sys/kernel/livepatch/lp_demo\n",
  });
  expect(await host.kgr("unload", "lp_demo")).toEqual({
    status: 0,
    out: "lp_demo: unloaded\n",
    err: "lp_demo: rmmod is at work in the kernel\n",
  });
});

test("kgr load while the kernel stays busy: it says after a second that it tries again", async () => {
  const host = machine({ "/usr/sbin/insmod": "#!/bin/sh\necho Device or resource busy >&2\nexit 1\n" });
  host.programMs = 0;
  const { status, err } = await host.kgr("load", "/p/lp_new.ko");
  expect(status).toBe(1);
  expect(err).toMatch(/^lp_new: the kernel is busy, trying again\nkgr: cannot insert /);
});

test("kgr disable shows on a terminal that the kernel is asked, and takes that away", async () => {
  const host = machine(livePatchFiles("lp_demo", 1, 0));
  host.columns = 60;
  const { status, err } = await host.kgr("disable", "lp_demo", "--no-wait");
  expect({ status, err }).toEqual({
    status: 0,
    err: "\r\u001b[Klp_demo: the kernel begins a transition\r\u001b[K",
  });
});
