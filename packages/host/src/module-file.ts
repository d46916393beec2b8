/**
 * What a kernel module says of itself: the `key=value` strings in the .modinfo section of its ELF file, found
 * through the section header table (System V ABI, chapter 4). Every offset and size is checked against the file
 * before it is followed, because the file may be cut off or damaged.
 */
import { BadInputError } from "./errors.ts";
import { t } from "./language.ts";
import { decodeUtf8 } from "./text.ts";

/** A live patch's own description. */
export interface ModuleInfo {
  readonly name: string;
  /** The kernel release it was built for. */
  readonly release: string;
}

const elfHeaderBytes = 64;
const sectionHeaderBytes = 64;

/** Reads a live patch's name and kernel release. @throws BadInputError where it is no live patch */
export function readModuleInfo(bytes: Uint8Array, path: string): ModuleInfo {
  const strings = decodeUtf8(findModinfo(bytes, path)).split("\0");
  const values = new Map(
    strings
      .filter((text) => text.includes("="))
      .map((text): [string, string] => splitAt(text, text.indexOf("="))),
  );
  if (values.get("livepatch") !== "Y") {
    throw bad(path, t`livepatch is ${JSON.stringify(values.get("livepatch") ?? "missing")}, wanted "Y"`);
  }
  const name = values.get("name") ?? "";
  if (!/^[A-Za-z0-9_]{1,55}$/.test(name)) {
    throw bad(path, t`name is ${JSON.stringify(name)}, wanted letters, digits and _`);
  }
  const release = (values.get("vermagic") ?? "").split(" ")[0]!; // split gives at least one
  if (release === "") {
    throw bad(path, t`vermagic is missing, wanted a kernel release`);
  }
  return { name, release };
}

const signatureMark = "~Module signature appended~\n";

/** Whether a signature is appended, by the kernel's mark for it (Documentation/admin-guide/module-signing.rst). */
export function isSigned(bytes: Uint8Array): boolean {
  return decodeUtf8(bytes.subarray(-signatureMark.length)) === signatureMark;
}

function splitAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}

function findModinfo(bytes: Uint8Array, path: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < elfHeaderBytes || view.getUint32(0) !== 0x7f454c46) {
    throw bad(path, t`it is no ELF file (a compressed module must be unpacked first)`);
  }
  if (bytes[4] !== 2 || bytes[5] !== 1) {
    throw bad(path, t`ELF class and order are ${bytes[4]} and ${bytes[5]}, wanted 2 and 1`);
  }
  const table = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  const names = view.getUint16(62, true);
  if (table + count * sectionHeaderBytes > bytes.length || names >= count) {
    throw bad(path, t`section headers end at ${table + count * sectionHeaderBytes}, file at ${bytes.length}`);
  }
  const section = (index: number): Uint8Array => {
    const header = table + index * sectionHeaderBytes;
    const offset = Number(view.getBigUint64(header + 24, true));
    const sizeBytes = Number(view.getBigUint64(header + 32, true));
    if (offset + sizeBytes > bytes.length) {
      throw bad(path, t`section ${index} ends at ${offset + sizeBytes}, file at ${bytes.length}`);
    }
    return bytes.subarray(offset, offset + sizeBytes);
  };
  const nameTable = section(names);
  for (let index = 1; index < count; index++) {
    const nameAt = view.getUint32(table + index * sectionHeaderBytes, true);
    if (decodeUtf8(nameTable.subarray(nameAt, nameAt + 9)) === ".modinfo\0") {
      return section(index);
    }
  }
  throw bad(path, t`it has no section .modinfo`);
}

function bad(path: string, what: string): BadInputError {
  return new BadInputError(t`cannot use ${path}: ${what}`, t`load a live patch made for this kernel`);
}
