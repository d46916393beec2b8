/**
 * kgr verify beside others that hook the same function, in kernels of several generations: what each of them makes of
 * the function's entry and of ftrace's records is the kernel's own. What else it finds is shown in verify.long.test.ts.
 */
import type { VerifyReport } from "@kgraft/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootWithManifests, makeProgram, type Suite } from "./guest.ts";
import { type Running, type Scene, sceneIn } from "./scene.ts";

const names = ["lp_demo", "lp_sealed", "lp_undo"] as const;
const patched = "this has been live patched";
const bpfUser = expect.stringMatching(/^direct call of bpf_trampoline_\d+$/) as string;
const tracing = "cd /sys/kernel/tracing &&";
/** With indirect branch tracking a function begins with endbr64, and the call is behind it. */
const endbr64 = "f30f1efa";

export function describeVerify(suite: Suite): void {
  describe(`kgr verify beside others, ${suite}`, () => {
    let scene: Scene;
    beforeAll(async () => {
      const replaced = {
        lp_demo: ["vmlinux:cmdline_proc_show"],
        lp_sealed: ["vmlinux:kernel_page_present"],
      };
      scene = sceneIn(await bootWithManifests(replaced, { suite, names }, [await makeProgram("bpf")]));
      await scene.says("kgr load /p/lp_demo.ko");
    });
    afterAll(async () => {
      await scene.guest.shutdown();
    });
    testsOfVerify(() => scene);
    testOfSealed(() => scene, suite);
  });
}

/** What it says of the one function that is patched. */
async function verify({ says }: Scene): Promise<VerifyReport["patches"][number]["functions"][number]> {
  const { result, patches } = JSON.parse(await says("kgr verify --json")) as VerifyReport;
  expect(result).toBe("proven");
  return patches[0]!.functions[0]!; // there is one
}

/** A BPF program that is called from the function's entry. */
async function beginBpf({ begin }: Scene): Promise<Running> {
  return begin("bpf fentry cmdline_proc_show");
}

/** How often it was called, at its end. */
async function endBpf({ says }: Scene, bpf: Running): Promise<string | undefined> {
  await says("kill -USR1 $(pidof bpf); sleep 0.5");
  return /^calls (\d+)$/m.exec(await bpf.end())?.[1];
}

function testsOfVerify(scene: () => Scene): void {
  test("a live patch alone", async () => {
    expect(await verify(scene())).toMatchObject({
      result: "proven",
      entry: expect.stringMatching(/^(f30f1efa)?e8/) as string,
      calls: "klp_ftrace_handler",
      otherUsers: [],
    });
  });

  test("a BPF program that came after the patch is named by its trampoline, and both work", async () => {
    const bpf = await beginBpf(scene());
    expect(await verify(scene())).toMatchObject({ calls: "ftrace_regs_caller", otherUsers: [bpfUser] });
    expect(await scene().says("cat /proc/cmdline; kgr verify")).toBe(
      `${patched}\nlp_demo: proven, functions: 1; other users of them: 1`,
    );
    expect(await endBpf(scene(), bpf)).toBe("1");
    expect(await verify(scene())).toMatchObject({ calls: "klp_ftrace_handler", otherUsers: [] });
  });

  test("one that was there before the patch too, beside a kprobe and a tracer", async () => {
    const { says } = scene();
    await says("kgr unload lp_demo");
    const bpf = await beginBpf(scene());
    await says(
      `kgr load /p/lp_demo.ko; ${tracing} echo p:mine cmdline_proc_show >kprobe_events && echo 1 >events/kprobes/mine/enable
       echo cmdline_proc_show >set_ftrace_filter && echo function >current_tracer`,
    );
    expect(await verify(scene())).toMatchObject({
      calls: "ftrace_regs_caller",
      otherUsers: [
        expect.stringMatching(/^kprobe event kprobes\/mine at cmdline_proc_show\+0x[04]$/) as string,
        bpfUser,
        "other users of ftrace: 1 (tracer: function)",
      ],
    });
    await says(
      `${tracing} echo nop >current_tracer && echo >set_ftrace_filter; echo 0 >events/kprobes/mine/enable; echo >kprobe_events`,
    );
    expect(await verify(scene())).toMatchObject({ otherUsers: [bpfUser] });
    await endBpf(scene(), bpf);
  });

  test("a call that was written over is told, with and without such a program", async () => {
    const { says, run } = scene();
    const { entry } = await verify(scene());
    const behind = entry?.startsWith(endbr64) === true ? 4 : 0;
    const address = `$(printf 0x%x $((0x$(awk '$3 == "cmdline_proc_show" { print $1; exit }' /proc/kallsyms) + ${behind})))`;
    const undone =
      "lp_demo: wrong: vmlinux:cmdline_proc_show: its entry in memory calls nobody: the original runs";
    const undo = `insmod /p/lp_undo.ko address=${address} && cat /proc/cmdline; kgr verify; rmmod lp_undo`;
    expect((await run(undo)).stdout).toMatch(new RegExp(`console=.*\n${undone}\n$`));
    const bpf = await beginBpf(scene());
    expect((await run(undo)).stdout).toMatch(new RegExp(`console=.*\n${undone}; other users of them: 1\n$`));
    expect(await says("cat /proc/cmdline")).toBe(patched);
    expect(await endBpf(scene(), bpf)).toBe("1");
  });
}

/** How such a function begins: the call, or what the kernel wrote over endbr64 and the call. */
const sealed = { bookworm: /^e8/, trixie: /^660f1f00e8/, sid: /^0f1f40d6e8/ } as const;

function testOfSealed(scene: () => Scene, suite: Suite): void {
  test("a function that may not be called by its address is proven too", async () => {
    const { says } = scene();
    await says("kgr unload lp_demo; kgr load /p/lp_sealed.ko");
    expect(await verify(scene())).toMatchObject({
      result: "proven",
      entry: expect.stringMatching(sealed[suite]) as string,
      calls: "klp_ftrace_handler",
    });
    await says("kgr unload lp_sealed");
  });
}
