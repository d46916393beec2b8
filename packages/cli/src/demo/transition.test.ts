import { expect, test } from "vitest";
import { DemoFailed } from "../errors.ts";
import { transitionTime } from "./transition.ts";

const log = `[    7.743791] livepatch: enabling patch 'kgraft_demo'
[    8.654802] livepatch: 'kgraft_demo': starting patching transition
[   11.064553] livepatch: 'kgraft_demo': patching complete
`;

test("transitionTime() is what the kernel's log says", () => expect(transitionTime(log)).toBe(2410));

test.each([
  ["an empty log", ""],
  ["a transition that did not end", log.split("\n").slice(0, 2).join("\n")],
  ["times that run backwards", log.replace("11.064553", "1.064553")],
])("transitionTime() refuses %s", (_, text) => expect(() => transitionTime(text)).toThrow(DemoFailed));
