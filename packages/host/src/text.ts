/** Text from files that anyone may have filled with anything, and text for a terminal. */
import { t } from "./language.ts";
import { type System, SystemError } from "./system.ts";

const pieceBytes = 4096;

/**
 * Bytes as text. What is not UTF-8 becomes U+FFFD: QuickJS has no TextDecoder. Most of what is read is ASCII, and
 * some of it has megabytes: such pieces are taken as a whole.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + pieceBytes);
    // As a spread it would go through an iterator, which takes four times as long.
    const latin1 = String(Reflect.apply(String.fromCharCode, null, piece));
    // oxlint-disable-next-line no-control-regex -- all of ASCII
    if (/^[\u0000-\u007f]*$/.test(latin1)) {
      parts.push(latin1);
      at += piece.length;
      continue;
    }
    const codes: number[] = [];
    for (const end = at + piece.length; at < end;) {
      const [code, lengthBytes] = codeAt(bytes, at);
      codes.push(code);
      at += lengthBytes;
    }
    parts.push(String.fromCodePoint(...codes));
  }
  return parts.join("");
}

function codeAt(bytes: Uint8Array, at: number): readonly [code: number, lengthBytes: number] {
  const first = bytes[at]!; // the caller stays within the array
  if (first < 0x80) {
    return [first, 1];
  }
  const lengthBytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  const smallest = [0, 0, 0x80, 0x800, 0x1_0000][lengthBytes]!;
  let code = first & (0x7f >> lengthBytes);
  for (let next = 1; next < lengthBytes; next++) {
    const byte = bytes[at + next] ?? 0;
    if (byte >> 6 !== 2) {
      return [0xfffd, 1];
    }
    code = (code << 6) | (byte & 0x3f);
  }
  const valid =
    first >= 0xc2 &&
    first <= 0xf4 &&
    code >= smallest &&
    code <= 0x10_ffff &&
    (code < 0xd800 || code > 0xdfff);
  return valid ? [code, lengthBytes] : [0xfffd, 1];
}

/** A file's text, at most 64 KiB unless told; null where it is gone, unreadable or longer. */
export function readText(system: System, path: string, limitBytes = 65_536): string | null {
  try {
    return decodeUtf8(system.readBytes(path, limitBytes));
  } catch (error) {
    if (error instanceof SystemError) {
      return null;
    }
    throw error;
  }
}

/** Names in a directory, sorted; none where it is gone or cannot be read. */
export function listNames(system: System, path: string): readonly string[] {
  try {
    return system.readDirectory(path).toSorted();
  } catch (error) {
    if (error instanceof SystemError) {
      return [];
    }
    throw error;
  }
}

/** Text that cannot move a terminal's cursor or colour it: a process chooses its own command line. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}

/** `1 task left`, `2 tasks left`; null is a number that this user may not see. */
export function tasksLeftText(count: number | null): string {
  return count === null
    ? t`only root can count the tasks left`
    : count === 1
      ? t`1 task left`
      : t`${count} tasks left`;
}

/** Bytes as hexadecimal digits. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
