import { expect, test } from "vitest";
import { changedStrangers } from "./strange-units.ts";

test("changedStrangers() refuses a change of such a unit, and warns where it reads a changed header", () => {
  const { reasons, warnings } = changedStrangers(
    ["rust/helpers/helpers.c", "arch/x86/entry/vdso/vdso-image-64.c"],
    (path) => path === "rust/helpers/helpers.c",
  );
  expect(reasons).toMatchObject([{ code: "strange-unit", subject: "rust/helpers/helpers.c" }]);
  expect(warnings).toMatchObject([{ code: "strange-unit", subject: "arch/x86/entry/vdso/vdso-image-64.c" }]);
});
