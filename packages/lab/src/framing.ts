/**
 * Where the output of a command ends on a port that goes on.
 *
 * The guest copies what a command writes to the port as it is, so that megabytes cost nothing, and closes it with
 * one line: newline, a token, the exit status, newline. The host draws the token (128 random bits) for each
 * command, and the command never sees it; so no output can look like the end by accident.
 */

export interface FrameReader {
  /** Takes the next bytes; gives those that are surely output, and the status once the end has come. */
  push(chunk: Uint8Array): { readonly data: Buffer; readonly status?: number };
}

/** The longest line that can follow the token: a space, a status of three digits, a newline. */
const trailerSizeBytes = 5;

/** How many bytes at the end may be the beginning of the marker. */
function overlap(bytes: Buffer, marker: Buffer): number {
  for (let count = Math.min(bytes.length, marker.length - 1); count > 0; count--) {
    if (bytes.subarray(bytes.length - count).equals(marker.subarray(0, count))) return count;
  }
  return 0;
}

export function createFrameReader(token: string): FrameReader {
  const marker = Buffer.from(`\n${token} `);
  let held: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      const bytes = Buffer.concat([held, chunk]);
      const at = bytes.indexOf(marker);
      if (at < 0) {
        const cut = bytes.length - overlap(bytes, marker);
        held = bytes.subarray(cut);
        return { data: bytes.subarray(0, cut) };
      }
      const rest = bytes.subarray(at + marker.length);
      held = bytes.subarray(at);
      const newline = rest.indexOf(0x0a);
      if (newline < 0 && rest.length < trailerSizeBytes) return { data: bytes.subarray(0, at) };
      return { data: bytes.subarray(0, at), status: Number(rest.toString("latin1", 0, newline)) };
    },
  };
}

/** What the host writes to a slot's first port to have a command run: a line with token and size, then the script. */
export function encodeRequest(token: string, script: string): Buffer {
  const bytes = Buffer.from(script);
  return Buffer.concat([Buffer.from(`${token} ${bytes.length}\n`), bytes]);
}
