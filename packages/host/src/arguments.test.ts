import { describe, expect, test } from "vitest";
import { parseArguments, type Shape } from "./arguments.ts";

const shapes: readonly Shape[] = [
  { name: "patches", operand: null, options: [] },
  { name: "wait", operand: null, options: ["timeout"] },
  { name: "load", operand: "FILE.ko", options: ["timeout", "no-wait"] },
  { name: "vex", operand: null, options: ["format", "output"] },
  { name: "completion", operand: "bash|zsh", options: [] },
];
// oxlint-disable-next-line typescript/require-await -- commands that have to be loaded first share one shape
const commands = new Map(shapes.map((shape) => [shape.name, async () => shape]));

describe("parseArguments() accepts", () => {
  test.each([
    [["patches"], { verbosity: 0, json: false }],
    [["-v", "patches"], { verbosity: 1 }],
    [["patches", "-v", "-v"], { verbosity: 2 }],
    [["-vv", "patches", "--verbose"], { verbosity: 3 }],
    [["help"], { help: true, command: null }],
    [["help", "load"], { help: true, command: { name: "load" } }],
    [["help", "load", "a.ko"], { help: true, command: { name: "load" } }],
    [["-hv"], { help: true, verbosity: 1, command: null }],
    [["load", "--help"], { help: true, operand: "" }],
    [["--version"], { version: true }],
    [["patches", "--json"], { json: true }],
    [["wait"], { timeoutMs: null }],
    [["wait", "--timeout", "61"], { timeoutMs: 61_000 }],
    [["wait", "--timeout=0.25"], { timeoutMs: 250 }],
    [["wait", "--timeout", "0"], { timeoutMs: 0 }],
    [["load", "a.ko", "--no-wait"], { operand: "a.ko", noWait: true }],
    [["load", "--", "-a.ko"], { operand: "-a.ko" }],
    [["vex", "--format", "csaf"], { options: new Map([["format", "csaf"]]) }],
    [["vex", "-o", "-x"], { options: new Map([["output", "-x"]]) }],
    [["vex", "--output=a=b"], { options: new Map([["output", "a=b"]]) }],
    [["completion", "zsh"], { operand: "zsh" }],
  ])("%j", async (argv, wanted) => {
    expect(await parseArguments(commands, argv)).toMatchObject(wanted);
  });
});

describe("parseArguments() refuses", () => {
  test.each([
    [[], "no command given"],
    [["patchs"], "cannot run command patchs: there is none of that name"],
    [["patches", "extra"], 'cannot run patches: found "extra", wanted no operand'],
    [["load"], "cannot run load: found nothing, wanted FILE.ko"],
    [["load", "a.ko", "b.ko"], 'found "a.ko b.ko", wanted FILE.ko'],
    [["-x", "patches"], "cannot read option -x"],
    [["patches", "--timeout", "1"], "it has no option --timeout"],
    [["wait", "--no-wait"], "it has no option --no-wait"],
    [["load", "a.ko", "--no-wait=1"], "cannot read option --no-wait=1"],
    [["vex", "--format", "x"], 'cannot read --format: found "x", wanted openvex|csaf'],
    [["vex", "--format"], "cannot read --format: found nothing, wanted openvex|csaf"],
    [["vex", "-o"], "cannot read --output: found nothing, wanted FILE"],
    [["wait", "-o", "x"], "it has no option --output"],
    [["completion", "tcsh"], 'cannot run completion: found "tcsh", wanted bash|zsh'],
    [["load", ""], 'cannot run load: found "", wanted FILE.ko'],
    [["wait", "--timeout"], "found nothing, wanted seconds"],
    [["load", "--timeout", "a.ko"], 'cannot read --timeout: found "a.ko", wanted seconds'],
    [["wait", "--timeout", "-1"], 'found "-1"'],
    [["wait", "--timeout", "1e3"], 'found "1e3"'],
    [["wait", "--timeout", "86401"], 'found "86401"'],
  ])("%j", async (argv, message) => {
    await expect(parseArguments(commands, argv)).rejects.toThrow(
      expect.objectContaining({ name: "UsageError", message: expect.stringContaining(message) as string }),
    );
  });
});

describe("parseArguments() says what may have been meant", () => {
  test.each([
    [["patchs"], "type: kgr patches; or see what there is with: kgr --help"],
    [["list"], "type: kgr patches; or see"],
    [["help", "laod"], "type: kgr load; or see"],
    [["frobnicate"], "type: kgr --help"],
    [["constructor"], "type: kgr --help"],
    [["--hepl"], "type --help in its place; or see what there is with: kgr --help"],
    [["wait", "--timout=3"], "type --timeout in its place; or see"],
    [["load", "--timeout", "a.ko"], "type for example: kgr load --timeout 61"],
    [["--no-wait=1"], "type --no-wait in its place; or see"],
    [["-x"], "type: kgr --help"],
  ])("%j", async (argv, hint) => {
    await expect(parseArguments(commands, argv)).rejects.toThrow(
      expect.objectContaining({ name: "UsageError", hint: expect.stringContaining(hint) as string }),
    );
  });
});
