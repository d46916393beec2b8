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
  const strings = decodeUtf8(modinfoOf(bytes, path)).split("\0");
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

const SHT_NOTE = 7;

/**
 * Its notes by section, such as `.note.gnu.build-id`: the kernel shows the same bytes under /sys/module/NAME/notes.
 *
 * @throws BadInputError
 */
export function readNotes(bytes: Uint8Array, path: string): ReadonlyMap<string, Uint8Array> {
  const notes = readSections(bytes, path).filter(
    ({ type, content }) => type === SHT_NOTE && content.length > 0,
  );
  return new Map(notes.map(({ name, content }) => [name, content]));
}

function modinfoOf(bytes: Uint8Array, path: string): Uint8Array {
  const section = readSections(bytes, path).find(({ name }) => name === ".modinfo");
  if (section === undefined) {
    throw bad(path, t`it has no section .modinfo`);
  }
  return section.content;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly content: Uint8Array;
}

const SHT_NOBITS = 8;
const longestName = 256;

function readSections(bytes: Uint8Array, path: string): readonly Section[] {
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
    const end = table + count * sectionHeaderBytes;
    throw bad(path, t`section headers end at ${end}, file at ${bytes.length}`);
  }
  const contentOf = (index: number): Uint8Array => {
    const header = table + index * sectionHeaderBytes;
    const offset = Number(view.getBigUint64(header + 24, true));
    const sizeBytes = Number(view.getBigUint64(header + 32, true));
    if (view.getUint32(header + 4, true) === SHT_NOBITS) {
      return new Uint8Array();
    }
    if (offset + sizeBytes > bytes.length) {
      throw bad(path, t`section ${index} ends at ${offset + sizeBytes}, file at ${bytes.length}`);
    }
    return bytes.subarray(offset, offset + sizeBytes);
  };
  const nameTable = contentOf(names);
  return Array.from({ length: count }, (_, index) => {
    const header = table + index * sectionHeaderBytes;
    const at = view.getUint32(header, true);
    const name = decodeUtf8(nameTable.subarray(at, at + longestName)).split("\0")[0]!; // split gives at least one
    return { name, type: view.getUint32(header + 4, true), content: contentOf(index) };
  });
}

function bad(path: string, what: string): BadInputError {
  return new BadInputError(t`cannot use ${path}: ${what}`, t`load a live patch made for this kernel`);
}
