/** The bytes are not the ELF they should be: the message names file, field, value found and value wanted. */
export class ElfFormatError extends Error {
  override readonly name = "ElfFormatError";
}
