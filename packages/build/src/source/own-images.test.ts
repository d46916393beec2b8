import { expect, test } from "vitest";
import { changedImages } from "./own-images.ts";

const units = new Set(["arch/x86/entry/vdso/vma.c", "arch/x86/realmode/init.c", "fs/proc/version.c"]);
const codes = (path: string): { refused: string[]; warned: string[] } => {
  const { reasons, warnings } = changedImages([path], (one) => units.has(one));
  return { refused: reasons.map(({ code }) => code), warned: warnings.map(({ code }) => code) };
};

test.each([
  "lib/vdso/gettimeofday.c",
  "arch/x86/entry/vdso/vclock_gettime.c",
  "arch/x86/entry/vdso/vdso32/vclock_gettime.c",
  "arch/x86/realmode/rm/wakemain.c",
  "arch/x86/purgatory/purgatory.c",
])("changedImages() refuses %s", (path) => {
  expect(codes(path)).toEqual({ refused: ["own-image"], warned: [] });
});

test.each(["include/vdso/helpers.h", "arch/x86/include/asm/vdso/gettimeofday.h"])(
  "changedImages() warns of %s",
  (path) => {
    expect(codes(path)).toEqual({ refused: [], warned: ["own-image"] });
  },
);

test.each([...units, "arch/arm64/kernel/vdso/vgettimeofday.c", "include/linux/fs.h"])(
  "changedImages() has nothing to say of %s",
  (path) => {
    expect(codes(path)).toEqual({ refused: [], warned: [] });
  },
);
