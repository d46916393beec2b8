/** Live patches as they are installed, for the tests over a directory tree. */
import { createHash } from "node:crypto";
import { idleMachine, type Machine, makeMachine, manifestText } from "./machine.ts";
import { livePatchInfo, moduleFile } from "./module.ts";

/** Where the live patches of the test machine's kernel are installed. */
export const store = "/usr/lib/modules/6.1.0-55-cloud-amd64/updates/kgraft";

/** A module and its manifest, by their paths without suffix. Another build of it has another SHA-256. */
export function pairFiles(folder: string, name: string, build = 1): Record<string, string | Uint8Array> {
  const module = moduleFile([
    ...livePatchInfo.map((line) => line.replace("lp_demo", name)),
    `build=${build}`,
  ]);
  const sha256 = sha256Of(name, build);
  const file = `${name}.ko`;
  return {
    [`${folder}/${name}.ko`]: module,
    [`${folder}/${name}.json`]: manifestText({ name, module: { file, sha256, sizeBytes: module.length } }),
  };
}

/** SHA-256 of that module. */
export function sha256Of(name: string, build = 1): string {
  const info = [...livePatchInfo.map((line) => line.replace("lp_demo", name)), `build=${build}`];
  return createHash("sha256").update(moduleFile(info)).digest("hex");
}

/** insmod as the kernel acts: the transition ends at once. */
export const insmod = `#!/bin/sh
name=$(basename "$1" .ko); lp=$ROOT/sys/kernel/livepatch/$name
mkdir -p $lp $ROOT/sys/module/$name
echo 1 >$lp/enabled; echo 0 >$lp/transition; echo 1 >$ROOT/sys/module/$name/refcnt
`;

/** insmod of a cumulative live patch: what was in force before is replaced, its module stays. */
export const replacingInsmod: string = `${insmod}
cd $ROOT/sys/kernel/livepatch
for other in *; do
  [ "$other" = "$name" ] || { rm -r "$other"; echo "$other 16384 0 - Live 0x0 (OEK)" >>$ROOT/proc/modules; }
done
`;

/** A machine on which live patches can be installed, in its first boot. */
export function machineWithStore(files: Readonly<Record<string, string | Uint8Array>> = {}): Machine {
  return makeMachine({
    ...idleMachine,
    "/usr/sbin/insmod": insmod,
    "/usr/bin/sync": '#!/bin/sh\n[ -d "$ROOT$1" ]\n',
    "/usr/lib/modules/6.1.0-55-cloud-amd64/modules.dep": "",
    "/proc/cmdline": "console=ttyS0 quiet\n",
    "/proc/sys/kernel/random/boot_id": "boot-1\n",
    "/var/lib/.keep": "",
    "/run/.keep": "",
    ...files,
  });
}

/** The machine is started anew: what is in the kernel and in memory is gone. */
export function restart(machine: Machine, bootId: string): void {
  machine.remove("/sys/kernel/livepatch");
  machine.remove("/run");
  machine.put({
    "/sys/kernel/livepatch/.keep": "",
    "/run/.keep": "",
    "/proc/sys/kernel/random/boot_id": `${bootId}\n`,
  });
  if (machine.system.exists("/sys/module")) {
    machine.remove("/sys/module");
  }
}
