import { describe, expect, test } from "vitest";
import { parseUri } from "./apt.ts";

const hash = "6ddee98013d1bbc58d8d9b36c0e0baf4279dc0da3e78583014dc7cd830a49502";

describe("parseUri()", () => {
  test("a line of apt-get --print-uris", () => {
    const file = "linux-source-6.1_6.1.192-1_all.deb";
    expect(parseUri(`'http://m/pool/${file}' ${file} 139331872 SHA256:${hash}`)).toEqual({
      name: "linux-source-6.1",
      version: "6.1.192-1",
      file,
      address: `http://m/pool/${file}`,
      sizeBytes: 139331872,
      sha256: hash,
    });
  });

  test.each([
    ["another line", "Reading package lists..."],
    ["a weak hash", "'http://m/a_1_all.deb' a_1_all.deb 5 MD5Sum:0123"],
    ["a name with a path", `'http://m/x' ../a_1_all.deb 5 SHA256:${hash}`],
  ])("refuses %s", (_, line) => expect(parseUri(line)).toBeUndefined());
});
