/**
 * Names and numbers of the ELF format, spelled as the specification spells them.
 * Source: System V ABI, generic part, chapter 4; livepatch values: include/uapi/linux/elf.h and
 * include/linux/livepatch.h of the kernel.
 */
export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;

export const EM_PPC64 = 21;
export const EM_X86_64 = 62;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;
export const SHT_GROUP = 17;
export const SHT_SYMTAB_SHNDX = 18;

export const SHF_WRITE = 0x1;
export const SHF_ALLOC = 0x2;
export const SHF_EXECINSTR = 0x4;
export const SHF_MERGE = 0x10;
export const SHF_STRINGS = 0x20;
export const SHF_INFO_LINK = 0x40;
export const SHF_GROUP = 0x200;
export const SHF_COMPRESSED = 0x800;
/** Relocations that the livepatch core applies, not the module loader. */
export const SHF_RELA_LIVEPATCH = 0x0010_0000;

export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
/** A symbol that the livepatch core resolves by its name `.klp.sym.<object>.<name>,<sympos>`. */
export const SHN_LIVEPATCH = 0xff20;
export const SHN_ABS = 0xfff1;
export const SHN_COMMON = 0xfff2;
export const SHN_XINDEX = 0xffff;

export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;

export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STT_FILE = 4;

export const NT_GNU_BUILD_ID = 3;
