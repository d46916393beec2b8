import { expect, test } from "vitest";
import { makeMachine } from "../test/machine.ts";
import { findProgram, sha256OfFile } from "./programs.ts";

test("findProgram() wants the program or busybox", () => {
  expect(findProgram(makeMachine({ "/bin/insmod": "", "/bin/busybox": "" }).system, "insmod")).toEqual([
    "/bin/insmod",
  ]);
  expect(findProgram(makeMachine({ "/bin/busybox": "" }).system, "insmod")).toEqual([
    "/bin/busybox",
    "insmod",
  ]);
  expect(() => findProgram(makeMachine({}).system, "sha256sum")).toThrow(
    expect.objectContaining({ name: "MissingProgramError", hint: "install coreutils" }),
  );
});

const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test.each([
  ["a plain name", `${hash}  /p/a.ko`, hash],
  ["a name with a backslash", `\\${hash}  /p/a\\\\b.ko`, hash],
])("sha256OfFile() of %s", async (_, said, wanted) => {
  const { system } = makeMachine({ "/usr/bin/sha256sum": `#!/bin/sh\ncat <<'E'\n${said}\nE\n` });
  expect(await sha256OfFile(system, "/p/a.ko")).toBe(wanted);
});

test("sha256OfFile() says what went wrong", async () => {
  const { system } = makeMachine({ "/usr/bin/sha256sum": "#!/bin/sh\necho no such file >&2\nexit 1\n" });
  await expect(sha256OfFile(system, "/p/a.ko")).rejects.toMatchObject({
    message: "cannot hash /p/a.ko: sha256sum said no such file",
  });
});
