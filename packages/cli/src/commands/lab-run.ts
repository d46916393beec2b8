import { X509Certificate } from "node:crypto";
import { openKernel } from "@kgraft/kernel";
import { runInGuest } from "@kgraft/lab";
import { buildCommand, type Command } from "@stricli/core";
import type { Board } from "../board.ts";
import { answer, type Context, jsonFlag } from "../context.ts";
import { FileUnreadable, UsageError } from "../errors.ts";
import { readInput } from "../input-file.ts";
import { kgrForGuest } from "../machine/kgr-for-guest.ts";
import { checkModule } from "../module-check.ts";
import { parseCount, parsePath, parseSize, parseText, parseTimeMs } from "../parameters.ts";

interface Flags {
  readonly kernel: string;
  readonly load?: readonly string[];
  readonly share?: string;
  readonly trust?: readonly string[];
  readonly parameter?: readonly string[];
  readonly disk?: number;
  readonly timeout?: number;
  readonly memory?: number;
  readonly cpus?: number;
  readonly json: boolean;
}

const defaultTimeoutMs = 300_000;

async function run(this: Context, flags: Flags, ...command: string[]): Promise<void> {
  if (flags.memory !== undefined && flags.memory < 128 << 20) {
    throw new UsageError("cannot boot a guest: --memory is under 128M", "type for example: --memory 512M");
  }
  const kernel = await openKernel(flags.kernel);
  for (const path of flags.load ?? []) await checkModule(path, kernel.release, this.signal);
  const trusted = await Promise.all((flags.trust ?? []).map((path) => readCertificate(path, this.signal)));
  const kgr = await kgrForGuest(this);
  const stage = this.board.stage(`Running ${kernel.release} in QEMU`, { fleeting: true });
  const result = await runInGuest({
    kernel,
    command,
    timeoutMs: flags.timeout ?? defaultTimeoutMs,
    signal: this.signal,
    ...(kgr !== undefined && { files: [{ path: "/usr/bin/kgr", source: kgr, mode: 0o755 }] }),
    ...(flags.load !== undefined && { load: flags.load }),
    ...(flags.share !== undefined && { share: flags.share }),
    ...(flags.parameter !== undefined && { kernelParameters: flags.parameter }),
    trustedCertificates: trusted,
    ...(flags.disk !== undefined && { diskSizeBytes: flags.disk }),
    ...(flags.memory !== undefined && { memoryMib: Math.floor(flags.memory / 2 ** 20) }),
    ...(flags.cpus !== undefined && { cpus: flags.cpus }),
    ...(!flags.json && { onOutput: passOn(this.board, () => stage.drop()) }),
  });
  stage.drop();
  this.status = result.status;
  const { status, stdout, stderr, bootMs, oops } = result;
  if (flags.json) {
    answer(this, true, { release: kernel.release, command, status, stdout, stderr, bootMs, oops }, () => []);
  } else if (oops !== null) {
    this.board.close();
    this.board.write(`kgraft: the guest's kernel reported: ${oops.title}\n`, "stderr");
  }
}

const certificateHint = "name an X.509 certificate in PEM or DER, as openssl req -x509 makes it";

/** @throws FileUnreadable */
async function readCertificate(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = await readInput(path, { hint: certificateHint, signal });
  try {
    return new X509Certificate(bytes).raw;
  } catch (cause) {
    throw new FileUnreadable(`cannot read ${path}: it is no certificate`, certificateHint, { cause });
  }
}

/** The guest's output is ours, and from its first word on the only thing shown. */
function passOn(board: Board, onFirst: () => void): (text: string, stream: "stdout" | "stderr") => void {
  let first = true;
  return (text, stream) => {
    if (first) onFirst();
    first = false;
    board.write(text, stream);
  };
}

export const labRunCommand: Command<Context> = buildCommand<Flags, string[], Context>({
  func: run,
  parameters: {
    flags: {
      kernel: {
        kind: "parsed",
        parse: parseText,
        brief: "Release of the kernel to boot, fetched before",
        placeholder: "RELEASE",
      },
      load: {
        kind: "parsed",
        parse: parsePath,
        brief: "Module to insert before the command; may be given more than once",
        placeholder: "NAME.ko",
        optional: true,
        variadic: true,
      },
      share: {
        kind: "parsed",
        parse: parsePath,
        brief: "Directory that the guest sees, live and writable, at /share",
        placeholder: "DIR",
        optional: true,
      },
      trust: {
        kind: "parsed",
        parse: parsePath,
        brief: "Certificate by which the kernel checks modules; the guest then starts through UEFI",
        placeholder: "CERT.pem",
        optional: true,
        variadic: true,
      },
      parameter: {
        kind: "parsed",
        parse: parseText,
        brief: "Kernel parameter; may be given more than once",
        placeholder: "WORD",
        optional: true,
        variadic: true,
      },
      disk: {
        kind: "parsed",
        parse: parseSize,
        brief: "Empty scratch disk /dev/vda of this size",
        placeholder: "SIZE",
        optional: true,
      },
      timeout: {
        kind: "parsed",
        parse: parseTimeMs,
        brief: "Limit for the whole life of the guest; 5m if not given",
        placeholder: "TIME",
        optional: true,
      },
      memory: {
        kind: "parsed",
        parse: parseSize,
        brief: "Memory of the guest; 512M if not given",
        placeholder: "SIZE",
        optional: true,
      },
      cpus: {
        kind: "parsed",
        parse: parseCount,
        brief: "Processors of the guest; 2 if not given",
        placeholder: "N",
        optional: true,
      },
      json: jsonFlag,
    },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: {
        brief: "What to run in the guest (busybox and kgr are there), after --",
        placeholder: "COMMAND",
        parse: (word: string): string => word,
      },
    },
  },
  docs: {
    brief: "Run a command in a guest of a prepared kernel",
    fullDescription: `Boots the kernel in QEMU, runs one command there as root, and exits with its status. The
guest has no network and leaves nothing behind. Its programs are busybox's, and kgr(1) as
/usr/bin/kgr, which is built on first use. Standard input is not passed to it. The
exit statuses 124, 125 and 126 are kgraft's own: the guest ran into its time limit, was lost,
or its kernel panicked.

Examples:
  kgraft lab run --kernel 6.1.0-55-cloud-amd64 -- uname -a
  kgraft lab run --kernel 6.1.0-55-cloud-amd64 --load ext4_fix.ko -- kgr status
  kgraft lab run --kernel 6.1.0-55-cloud-amd64 --share . --disk 64M --timeout 60s -- sh /share/test.sh`,
  },
});
