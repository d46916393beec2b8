import { expect, test } from "vitest";
import { dependenciesOf } from "./depfile.ts";

test("dependenciesOf() the unit first, paths in the tree, each once", () => {
  const text =
    "/cache/x.o: fs/ext4/mballoc.c \\\n include/linux/kconfig.h ./include/linux/mm.h \\\n  /tree/fs/ext4/../ext4/ext4.h include/linux/mm.h\n";
  expect(dependenciesOf(text, "fs/ext4/mballoc.c", ["/tree"])).toEqual([
    "fs/ext4/mballoc.c",
    "include/linux/kconfig.h",
    "include/linux/mm.h",
    "fs/ext4/ext4.h",
  ]);
});
