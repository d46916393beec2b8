/**
 * What a system on a disk needs to take commands when it starts by its own initramfs and its own first process,
 * which know nothing of the lab. A guest that runs from the disk with `init: "none"` lays these files into it and
 * runs `systemctl enable lab.service`; from then on the disk can be started with `initrd`.
 */
import { fileURLToPath } from "node:url";
import { slotCount } from "./machine.ts";
import type { GuestFile } from "./options.ts";
import { findBusybox } from "./requirements.ts";

/** Without its channel the guest is of no use: it goes, which the host sees. */
const unit = `[Unit]
Description=Takes commands from the host
FailureAction=poweroff-force

[Service]
ExecStart=/usr/lib/lab/agent
KillMode=process

[Install]
WantedBy=multi-user.target
`;

/** The files, for {@link GuestOptions.files}. @throws BusyboxMissing */
export async function agentFiles(): Promise<readonly GuestFile[]> {
  return [
    ...["agent", "go-on", "serve"].map(script),
    { path: "/usr/lib/lab/busybox", source: await findBusybox(), mode: 0o755 },
    { path: "/usr/lib/lab/slots", source: Buffer.from(`${slotCount}\n`) },
    { path: "/etc/systemd/system/lab.service", source: Buffer.from(unit) },
  ];
}

function script(name: string): GuestFile {
  const source = fileURLToPath(new URL(`../guest/${name}.sh`, import.meta.url));
  return { path: `/usr/lib/lab/${name}`, source, mode: 0o755 };
}
