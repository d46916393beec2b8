import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { GuestBusy, GuestOutputTooLong } from "./errors.ts";
import { createFrameReader, encodeRequest } from "./framing.ts";
import type { OnOutput, OutputStream } from "./options.ts";

/** How a command ended: 0 to 255 as the guest's shell has it, 128 and the number where a signal ended it. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that was handed to the guest. */
export interface Submitted {
  /** Names the command in the guest: /run/lab/TOKEN.pid holds the number of its session. */
  readonly token: string;
  readonly result: Promise<CommandResult>;
  /** What it wrote so far. */
  readonly output: Readonly<Record<OutputStream, string>>;
}

/** A pair of ports that serves one command at a time. */
interface Slot {
  readonly ports: Readonly<Record<OutputStream, Duplex>>;
  busy: boolean;
}

export interface Slots {
  /** Hands a script over. `own` takes the slot that is kept for the host's own commands. */
  submit(script: string, onOutput?: OnOutput, own?: boolean): Submitted;
}

const maxOutputBytes = 64 * 1024 * 1024;

/** Reads one port until the command's end is marked there; gives the status. */
function readPort(
  port: Duplex,
  token: string,
  onText: (text: string, sizeBytes: number) => void,
): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const reader = createFrameReader(token);
  const decoder = new StringDecoder("utf8");
  const take = (chunk: Buffer): void => {
    const { data, status } = reader.push(chunk);
    const text = decoder.write(data) + (status === undefined ? "" : decoder.end());
    if (text !== "") onText(text, data.length);
    if (status === undefined) return;
    port.off("data", take);
    // What is written between commands belongs to none.
    port.on("data", () => {});
    resolve(status);
  };
  port.removeAllListeners("data");
  port.on("data", take);
  return promise;
}

function submitTo(slot: Slot, script: string, onOutput: OnOutput | undefined): Submitted {
  const token = randomBytes(16).toString("hex");
  const output = { stdout: "", stderr: "" };
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  let keptBytes = 0;
  const collect = (stream: OutputStream): Promise<number> =>
    readPort(slot.ports[stream], token, (text, sizeBytes) => {
      onOutput?.(text, stream);
      keptBytes += sizeBytes;
      if (keptBytes <= maxOutputBytes) output[stream] += text;
      else
        reject(
          new GuestOutputTooLong(`cannot keep output of command: over ${maxOutputBytes} bytes were written`),
        );
    });
  slot.busy = true;
  void Promise.all([collect("stdout"), collect("stderr")]).then(([status]) => {
    slot.busy = false;
    resolve({ status, stdout: output.stdout, stderr: output.stderr });
  });
  slot.ports.stdout.write(encodeRequest(token, script));
  return { token, result: promise, output };
}

/** The guest's ports in pairs; the first pair is the host's own. */
export function openSlots(ports: readonly Duplex[]): Slots {
  const slots = Array.from({ length: ports.length / 2 }, (_, index): Slot => {
    const [stdout, stderr] = ports.slice(2 * index, 2 * index + 2);
    return { ports: { stdout: stdout!, stderr: stderr! }, busy: false }; // Two ports to each slot by the length above.
  });
  return {
    submit(script, onOutput, own = false) {
      const slot = slots.find((candidate, index) => (index === 0) === own && !candidate.busy);
      if (slot === undefined) {
        throw new GuestBusy(
          `cannot start command in guest: ${slots.length - 1} commands run already, wanted at most that many`,
        );
      }
      return submitTo(slot, script, onOutput);
    },
  };
}
