import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { patternOf, successorPattern } from "./pattern.ts";

describe("patternOf()", () => {
  test.each<[string, string, readonly string[] | null]>([
    ["bash", "bash", ["bash"]],
    ["bash", "bash-doc", null],
    ["a.b", "axb", null],
    ["kernel-*", "kernel-default", ["kernel-default", "default"]],
    ["hdf5_*-gnu*-hpc", "hdf5_1-gnu7-hpc", ["hdf5_1-gnu7-hpc", "1", "7"]],
    ["13.2*", "13.2+git-1", ["13.2+git-1", "+git-1"]],
    ["*", "", ["", ""]],
    ["/^kernel-(.*)$/", "kernel-xen", ["kernel-xen", "xen"]],
    ["/nel/", "kernel", ["kernel"]],
    [String.raw`/\Aa(b)?\z/`, "a", ["a", ""]],
    ["/", "/", ["/"]],
  ])("%s on %s", (source, text, parts) => {
    expect(patternOf(source)?.(text)).toEqual(parts);
  });

  test.each([
    "/(a+)+$/",
    "/(a|a)*$/",
    "/((a{1,9})x?)*/",
    "/.*.*.*.*.*x/",
    "*a*a*a*a*b",
    "/(/",
    "/[/",
    "/(a*)/+)/",
  ])("does not use %s", (source) => {
    expect(patternOf(source)).toBe(null);
  });

  test("takes any source, and ends soon on the longest name", () => {
    const source = fc.stringMatching(/^[a()*+|?{}[\]\\^$/.,0-9-]{0,20}$/).map((text) => `/${text}/`);
    fc.assert(
      fc.property(source, (text) => {
        patternOf(text)?.("a".repeat(40));
      }),
    );
  });
});

test.each([
  ["new-<2>", ["hdf5_1-gnu7", "1", "7"], "new-7", true],
  ["new-*", ["x"], "new-anything", true],
  ["/^new-(.*)<1>$/", ["a.b", "a.b"], "new-1a.b", true],
  ["/^new-<1>$/", ["a.b", "a.b"], "new-axb", false],
  ["<0>-ng", ["tool"], "tool-ng", true],
  ["new<9>", ["x"], "new", true],
])("successorPattern() %s", (source, parts, name, fits) => {
  expect((successorPattern(source, parts)?.(name) ?? null) !== null).toBe(fits);
});
