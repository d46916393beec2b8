import { expect, test } from "vitest";
import { parseRemade } from "./generated.ts";

test.each([
  ["   Must remake target 'lib/crc32table.h'.", "lib/crc32table.h"],
  ["Must remake target './crypto/rsapubkey.asn1.c'.", "crypto/rsapubkey.asn1.c"],
  ["   Must remake target 'certs/blacklist_hash_list'.", "certs/blacklist_hash_list"],
  ["   Must remake target 'certs/x509_certificate_list'.", undefined],
  ["   Must remake target 'include/generated/bounds.h'.", undefined],
  ["   Must remake target 'arch/x86/include/generated/asm/syscalls_32.h'.", undefined],
  ["   Must remake target 'arch/x86/entry/vdso/vdso-image-64.c'.", undefined],
  ["   Must remake target 'scripts/mod/elfconfig.h'.", undefined],
  ["   Must remake target 'fs/ext4/mballoc.o'.", undefined],
  ["set -e; echo '  GEN     lib/crc32table.h'", undefined],
])("parseRemade() %s", (line, wanted) => expect(parseRemade(line)).toBe(wanted));
