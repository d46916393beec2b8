import { expect, test } from "vitest";
import { sourceVersionOf } from "./toolchain.ts";

test.each([
  ["x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0", "14.2.0-19"],
  ["gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0", "12.2.0-14+deb12u1"],
  ["gcc (GCC) 15.1.0", undefined],
])("sourceVersionOf() %s", (text, wanted) => expect(sourceVersionOf(text)).toBe(wanted));
