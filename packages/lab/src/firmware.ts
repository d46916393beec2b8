/**
 * UEFI firmware for a guest whose kernel must trust a certificate of ours. The kernel takes the certificates of the
 * firmware's signature database, the variable `db`, into its platform keyring, by which a distribution's kernel also
 * checks modules. The firmware is OVMF; its variables lie in a flash image, to which `db` is added here as the
 * firmware itself would have stored it.
 *
 * Sources: UEFI specification 2.10, section 32.4 (signature database); EDK II, MdeModulePkg/Include/Guid/
 * VariableFormat.h (authenticated variable store); security/integrity/platform_certs/load_uefi.c of the kernel.
 */
import { readFile } from "node:fs/promises";
import { FirmwareMissing } from "./errors.ts";

export interface Firmware {
  /** Path of the code, which is read only. */
  readonly code: string;
  /** The image with the variables, for this guest alone. */
  readonly variables: Uint8Array;
}

const images = {
  code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
  variables: "/usr/share/OVMF/OVMF_VARS_4M.fd",
} as const;

/** Finds the firmware's code. @throws FirmwareMissing */
export async function findFirmware(): Promise<string> {
  const [code] = await Promise.all([readFile(images.code), readFile(images.variables)]).catch(
    (cause: unknown) => {
      throw new FirmwareMissing("cannot give the guest UEFI firmware: OVMF is not installed", { cause });
    },
  );
  return code.length > 0 ? images.code : "";
}

/** The firmware with these X.509 certificates, in DER, in its signature database. @throws FirmwareMissing */
export async function makeFirmware(certificates: readonly Uint8Array[]): Promise<Firmware> {
  const code = await findFirmware();
  const variables = await readFile(images.variables);
  addVariable(variables, "db", Buffer.concat(certificates.map(signatureList)));
  return { code, variables };
}

const signatureDatabase = guid("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
const x509 = guid("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
const owner = guid("00000000-0000-0000-0000-000000000000");
const authenticatedStore = guid("aaf32c78-947b-439a-a180-2e144ec37792");

/** EFI_SIGNATURE_LIST with one EFI_SIGNATURE_DATA. */
function signatureList(certificate: Uint8Array): Buffer {
  const header = Buffer.alloc(28);
  header.set(x509);
  header.writeUInt32LE(header.length + owner.length + certificate.length, 16);
  header.writeUInt32LE(0, 20); // no header of this type's own
  header.writeUInt32LE(owner.length + certificate.length, 24);
  return Buffer.concat([header, owner, certificate]);
}

const variableStart = 0x55aa;
const stateAdded = 0x3f;
/** Non-volatile, for boot services and at run time, with time-based authentication: what `db` must be. */
const attributes = 0x27;
const headerSizeBytes = 60;

/** Writes a variable into the free space of the store. */
export function addVariable(image: Buffer, name: string, data: Uint8Array): void {
  // EFI_FIRMWARE_VOLUME_HEADER, then VARIABLE_STORE_HEADER.
  const store = image.readUInt16LE(0x30);
  const isStore =
    image.toString("latin1", 0x28, 0x2c) === "_FVH" &&
    image.subarray(store, store + 16).equals(authenticatedStore);
  if (!isStore)
    throw new FirmwareMissing("cannot add a variable to the firmware: its image has no variable store");
  const end = store + image.readUInt32LE(store + 16);
  let at = align(store + 28);
  while (at + headerSizeBytes < end && image.readUInt16LE(at) === variableStart)
    at = align(at + headerSizeBytes + image.readUInt32LE(at + 36) + image.readUInt32LE(at + 40));
  const text = Buffer.from(`${name}\0`, "utf16le");
  if (at + headerSizeBytes + text.length + data.length > end)
    throw new FirmwareMissing(`cannot add ${name} to the firmware: ${data.length} bytes do not fit`);
  const header = Buffer.alloc(headerSizeBytes);
  header.writeUInt16LE(variableStart, 0);
  header.writeUInt8(stateAdded, 2);
  header.writeUInt32LE(attributes, 4);
  header.writeUInt32LE(text.length, 36);
  header.writeUInt32LE(data.length, 40);
  header.set(signatureDatabase, 44);
  Buffer.concat([header, text, data]).copy(image, at);
}

function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

/** EFI_GUID: the first three fields are little-endian. */
function guid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
  return Buffer.concat([
    bytes.subarray(0, 4).toReversed(),
    bytes.subarray(4, 6).toReversed(),
    bytes.subarray(6, 8).toReversed(),
    bytes.subarray(8),
  ]);
}
